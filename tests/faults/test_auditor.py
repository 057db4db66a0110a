"""The auditor is no use if it is blind: it must find each wrong by itself, and the doubles of an engine that retries.

The mutants are usual designs: one asks again after no answer, one queues again what a dead worker was handing over.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from outreach.domain.deliveries import State, Stream
from outreach.domain.messages import Message
from outreach.keys import Keys
from outreach.models import Database
from outreach.sending import Desk, Hands, send_due
from outreach.settings import Settings
from outreach.transports import make_transport
from outreach.transports.base import NoAnswer, Receipt, Transport, Unavailable
from tests.bench import scene
from tests.chaos.auditor import Copy, Entry, Verdict, copies_in, judge, read_books
from tests.conftest import make_settings
from tests.fakes.sendgrid import API_KEY, fake_sendgrid

LETTERS = 150
UNCLEAR = "reset_after=0.04,close_after=0.04,502_after=0.02"


class AsksAgain:
    """At least once: whatever is not surely taken is offered again."""

    def __init__(self, inner: Transport) -> None:
        self.name = inner.name
        self._inner = inner

    def send(self, message: Message) -> Receipt:
        try:
            return self._inner.send(message)
        except NoAnswer as error:
            raise Unavailable(str(error), retry_after=timedelta(0)) from None

    def close(self) -> None:
        self._inner.close()


def sent_by(db: Database, settings: Settings, *, asks_again: bool) -> Verdict:
    """What the auditor says after one loop has sent everything through a provider that breaks off after taking."""
    with fake_sendgrid(faults=UNCLEAR, seed=3) as provider:
        settings = replace(settings, sendgrid_host=provider.url)
        keys = Keys(settings.secret_key)
        transport: Transport = make_transport(settings)
        hands = Hands(AsksAgain(transport) if asks_again else transport, width=4)
        scene.fill(db, keys, letters=LETTERS, targets=3, now=db.now())
        while _waits(db):
            send_due(db, hands, Desk(settings, keys), stream=Stream.LETTERS, settings=settings)
        hands.close()
        with db.read() as session:
            return judge(read_books(session), copies_in(provider.accepted))


def _waits(db: Database) -> bool:
    with db.read() as session:
        return any(entry.state is State.QUEUED for entry in read_books(session).values())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_engine_that_asks_again_is_caught_doubling_and_ours_is_not(
    db: Database, tmp_path: Path, database_url: str
) -> None:
    more = {"transport": "sendgrid", "sendgrid_api_key": API_KEY, "retry_base_seconds": "0.1", "handovers": "4"}
    settings = make_settings(tmp_path, database_url, **more)
    mutant = sent_by(db, settings, asks_again=True)
    assert len(mutant.doubled) >= LETTERS * 0.04, "the share of answers that broke off after the mail was taken"
    assert not mutant.lost


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_same_provider_and_our_engine_end_in_doubt_and_not_in_doubles(
    db: Database, tmp_path: Path, database_url: str
) -> None:
    more = {"transport": "sendgrid", "sendgrid_api_key": API_KEY, "retry_base_seconds": "0.1", "handovers": "4"}
    ours = sent_by(db, make_settings(tmp_path, database_url, **more), asks_again=False)
    assert ours.is_clean
    assert len(ours.in_doubt) >= LETTERS * 0.04
    assert ours.in_doubt == ours.in_doubt_arrived


@pytest.mark.parametrize(
    ("entry", "copies", "wrong"),
    [
        (Entry(State.ACCEPTED, content_hash="h"), ["h"], None),
        (Entry(State.ACCEPTED, content_hash="h"), [], "lost"),
        (Entry(State.QUEUED, content_hash="h"), [], "lost"),
        (Entry(State.ACCEPTED, content_hash="h"), ["h", "h"], "doubled"),
        (Entry(State.ACCEPTED, resends=1, content_hash="h"), ["h", "h"], None),
        (Entry(State.ACCEPTED, content_hash="h"), ["of another"], "wrong_content"),
        (Entry(State.CANCELLED, content_hash="h"), ["h"], "phantom"),
        (Entry(State.CANCELLED, maybe_sent=True, content_hash="h"), ["h"], None),
        (None, ["h"], "phantom"),
        (Entry(State.IN_DOUBT, maybe_sent=True, content_hash="h"), ["h"], None),
        (Entry(State.IN_DOUBT, maybe_sent=True, content_hash="h"), [], None),
    ],
)
def test_each_wrong_is_found_and_nothing_else(entry: Entry | None, copies: list[str], wrong: str | None) -> None:
    books = {"one": entry} if entry else {}
    may_end = (State.ACCEPTED, State.IN_DOUBT, State.CANCELLED)
    verdict = judge(books, [Copy("one", text) for text in copies], may_end=may_end)
    found = [name for name in ("lost", "doubled", "wrong_content", "phantom") if getattr(verdict, name)]
    assert found == ([wrong] if wrong else [])
