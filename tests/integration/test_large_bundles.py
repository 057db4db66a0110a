"""Bundles of the size that petitions reach: one mail of thousands of letters, and what no provider takes in one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import closing
from email import message_from_bytes

import pytest
from sqlalchemy import func, select, update

from outreach import audit
from outreach.domain.deliveries import State
from outreach.domain.letters import SignerFields, first_name
from outreach.models import Attempt, Bundle, Database, Delivery, Lane, LogEntry
from outreach.sending import Desk, Hands, send_bundles
from outreach.settings import Settings
from outreach.transports.base import Transport
from outreach.transports.mailbox import MailboxTransport, read_mailbox
from outreach.transports.sendgrid import SendGridTransport
from tests import factories
from tests.bench import scene
from tests.fakes.rules import MAX_BODY
from tests.fakes.sendgrid import API_KEY, fake_sendgrid

PLACES = ("Springfield", "Shelbyville", "")
#: 2,000 characters of six thousand bytes, which travel as eighteen thousand.
LONG = "我們等公車，等了很久。" * 181


def petition(db: Database, letters: int, own_words: Callable[[int], str]) -> None:
    """Letters to one office that gets bundles."""
    now = db.now()
    with db.begin() as session:
        pace = {"per_hour": 100_000, "per_day": 1_000_000}
        campaign = scene._campaign(session, now, factories.KEYS, dict(pace))
        names = (f"=Jane Doe {n}" for n in range(letters))
        signers = [
            SignerFields(name, first_name(name), PLACES[n % 3], "", own_words(n)) for n, name in enumerate(names)
        ]
        scene._sign(session, campaign, signers, factories.KEYS, now)
        session.execute(update(Lane).values(bundle=True))


def send(db: Database, settings: Settings, transport: Transport) -> int:
    with closing(Hands(transport, width=1)) as hands:
        return send_bundles(db, hands, Desk(settings, factories.KEYS), settings=settings)


def states(db: Database) -> dict[State, int]:
    with db.read() as session:
        return dict(session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all())


def test_three_thousand_letters_are_one_mail_and_three_thousand_deliveries(db: Database, settings: Settings) -> None:
    petition(db, 3_000, lambda n: "" if n % 10 else f"These are my words, number {n}.")

    assert send(db, settings, MailboxTransport(settings.mailbox_dir)) == 3_000

    (mail,) = read_mailbox(settings.mailbox_dir)
    assert mail.subject.startswith("3,000 letters: ")
    assert "\n2,700 people sent the campaign's letter as it is" in mail.text
    assert "\n300 people wrote in their own words\n" in mail.text
    assert "from Shelbyville (1,000) and Springfield (1,000); 1,000 gave no place." in " ".join(mail.text.split())
    assert all(f"These are my words, number {n}." in mail.text for n in range(0, 3_000, 10))
    assert mail.text.count("\nSubject: ") == 2 + 300, "with a place and without, and each of their own"
    assert states(db) == {State.ACCEPTED: 3_000}
    with db.read() as session:
        attempts = dict(session.execute(select(Attempt.counted, func.count()).group_by(Attempt.counted)).all())
        assert attempts == {True: 1, False: 2_999}, "one mail against the cap"
        assert session.scalar(select(func.count(LogEntry.delivery_id.distinct()))) == 3_000
        found = audit.audit(session, settings)
        assert (found.problems, found.transport.seen) == ([], 3_000)
    table = next(iter(_tables(mail.raw)))
    rows = list(csv.reader(io.StringIO(table.decode("utf-8-sig"), newline="")))
    assert len(rows) == 3_001
    assert all(cell[:1] not in ("=", "+", "-", "@") for row in rows for cell in row)
    assert rows[1][0].startswith("'=Jane Doe")


def _tables(raw: bytes) -> list[bytes]:
    return [part.get_payload(decode=True) for part in message_from_bytes(raw).walk() if part.get_filename()]  # type: ignore[misc]


def test_what_sendgrid_would_not_take_in_one_mail_leaves_in_several(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    petition(db, 800, lambda n: LONG)
    with fake_sendgrid() as provider:
        provider.keep_payloads = True
        with closing(SendGridTransport(API_KEY, host=provider.url, env="test")) as transport:
            assert send(db, settings, transport) == 800
        records = provider.accepted
        sizes = [len(str(payload)) for payload in provider.payloads]
    assert len(records) > 1
    assert sum(sizes) * 2 > MAX_BODY, "as JSON, a character of these is twice as long or longer"
    with db.read() as session:
        made = session.scalars(select(Bundle).order_by(Bundle.id)).all()
        assert [record["delivery"] for record in records] == [bundle.ref for bundle in made]
        assert sum(bundle.letters for bundle in made) == 800
        per_letter = session.execute(select(func.count()).select_from(Attempt).group_by(Attempt.delivery_id))
        assert set(per_letter.scalars()) == {1}, "no letter is in two of them"
    assert "more letters: " in records[1]["subject"]
    assert states(db) == {State.ACCEPTED: 800}
