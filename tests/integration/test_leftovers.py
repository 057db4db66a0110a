"""What an erased person leaves outside the database: written down with the erasure, removed until it is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from outreach import alerts, audit, people
from outreach.audit import bundled_letters
from outreach.domain.deliveries import State
from outreach.domain.messages import Mailbox
from outreach.models import Database, Delivery, Leftover, Signature, Supporter
from outreach.settings import Settings
from outreach.transports.mailbox import MailboxTransport, mail_names, read_mailbox
from tests import factories
from tests.bench.environs import environ_of
from tests.fakes.sendgrid import API_KEY, FakeSendGrid, fake_sendgrid
from tests.integration.test_bundles import office, send
from tests.unit.transports.letters import letter

ADDRESS = "marker.qx7@example.org"


def mailed(db: Database, settings: Settings) -> str:
    """A person with one letter that left; its ref."""
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session), by=factories.supporter(session, ADDRESS))
        ref = factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=db.now()).ref
    MailboxTransport(settings.mailbox_dir).send(replace(letter(), delivery=ref, to=Mailbox("", "mayor@example.gov")))
    return ref


def erase(db: Database, address: str = ADDRESS, **more: Any) -> None:
    with db.begin() as session:
        people.erase(session, people.find(session, address, keys=factories.KEYS), actor="test", now=db.now(), **more)


def left(db: Database) -> list[tuple[str, str, int]]:
    with db.read() as session:
        return [(row.kind, row.key, row.tries) for row in session.scalars(select(Leftover).order_by(Leftover.id))]


def test_f8_who_dies_after_the_erasure_leaves_a_note_and_the_next_run_removes_the_file(
    db: Database, settings: Settings
) -> None:
    ref = mailed(db, settings)
    command = [sys.executable, "-m", "outreach", "person", "erase", ADDRESS, "--apply"]

    def run(**more: str) -> int:
        environ = environ_of(settings.data_dir.parent, settings.database, ENV="test", **more)
        return subprocess.run(command, env=environ, capture_output=True, check=False).returncode

    assert run(FAULTPOINTS="after_erase=kill") == -signal.SIGKILL
    with db.read() as session:
        assert session.scalars(select(Supporter.erased_at)).one() is not None
    assert mail_names(settings.mailbox_dir) == [f"{ref}.1.eml"]
    assert left(db) == [("mail", ref, 0)]

    assert run() == 0, "the person is nobody by now, and the note is enough"
    assert mail_names(settings.mailbox_dir) == []
    assert left(db) == []


def test_a_file_that_cannot_be_deleted_is_kept_in_mind_and_people_are_told_until_it_is_gone(
    db: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = mailed(db, settings)
    erase(db)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as away:
        away.setattr(Path, "unlink", refuse)
        assert people.clear(db, settings, now=now) == people.Cleared(left=1)
    assert left(db) == [("mail", ref, 1)]
    with db.read() as session:
        assert [alert.key for alert in alerts.standing(session)] == ["leftovers"]

    assert people.clear(db, settings, now=now) == people.Cleared(files=1)
    assert (left(db), mail_names(settings.mailbox_dir)) == ([], [])
    with db.read() as session:
        assert alerts.standing(session) == []


def test_more_leftovers_than_a_statement_takes_values_are_removed_in_one_run(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        people.leftovers.note(session, people.leftovers.MAIL, (f"ref-{n}" for n in range(70_000)), now=now)
    assert people.clear(db, settings, now=now) == people.Cleared()
    assert left(db) == []


def test_what_is_in_the_air_is_removed_once_it_has_landed(db: Database, settings: Settings, now: datetime) -> None:
    ref = mailed(db, settings)
    with db.begin() as session:
        flying = session.scalars(select(Delivery)).one()
        flying.state, flying.claim_token = State.SENDING, "t"
    erase(db)
    assert people.clear(db, settings, now=now) == people.Cleared(left=1)
    assert left(db) == [("mail", ref, 0)]
    with db.begin() as session:
        landed = session.scalars(select(Delivery)).one()
        landed.state, landed.claim_token = State.ACCEPTED, None
    assert people.clear(db, settings, now=now) == people.Cleared(files=1)


def test_f8_an_erased_letter_leaves_the_copy_of_its_bundle_and_the_others_stay_provable(
    db: Database, settings: Settings, now: datetime
) -> None:
    office(db, settings, "", "My rent doubled.", "Ours as well.")
    assert send(db, settings, MailboxTransport(settings.mailbox_dir)) == 3
    with db.read() as session:
        gone, campaign_id = session.execute(
            select(Delivery.ref, Delivery.campaign_id)
            .join(Signature, Signature.id == Delivery.signature_id)
            .where(Signature.own_words == "My rent doubled.", Delivery.target_id.is_not(None))
        ).one()
    (before,) = read_mailbox(settings.mailbox_dir)

    erase(db, f"jane-{campaign_id}-B@example.org")
    assert people.clear(db, settings, now=now).files == 1

    (after,) = read_mailbox(settings.mailbox_dir)
    assert (after.name, after.subject, after.stored_at) == (before.name, before.subject, before.stored_at)
    for trace in ("Jane B Doe", "My rent doubled"):
        assert trace in before.text
        assert trace not in f"{after.text}{after.html}{bundled_letters(after)}"
    assert bundled_letters(after).keys() == bundled_letters(before).keys() - {gone}
    with db.read() as session:
        found = audit.audit(session, settings)
        assert (found.problems, found.transport.seen) == ([], 2)


@pytest.fixture
def provider() -> Iterator[FakeSendGrid]:
    with fake_sendgrid() as fake:
        yield fake


def test_f8_sendgrid_is_asked_to_erase_its_records_until_it_takes_the_job(
    db: Database, with_settings: Callable[..., Settings], provider: FakeSendGrid, now: datetime
) -> None:
    by_sendgrid = with_settings(transport="sendgrid", sendgrid_api_key=API_KEY, sendgrid_host=provider.url)
    mailed(db, by_sendgrid)
    erase(db, at_sendgrid=by_sendgrid.uses_sendgrid)
    provider.erase_status = 503

    assert people.clear(db, by_sendgrid, now=now) == people.Cleared(files=1, left=1)
    assert left(db) == [("recipient", ADDRESS, 1)]
    assert provider.erased == []

    provider.erase_status = 202
    assert people.clear(db, by_sendgrid, now=now) == people.Cleared(recipients=1)
    assert (provider.erased, left(db)) == ([ADDRESS], [])
    erase(db, at_sendgrid=True)
    assert left(db) == [], "nobody is left of whom SendGrid could be asked"
