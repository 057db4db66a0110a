"""Books that are older than the mails: told by reports, stopped, said again, and taken as they are by a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import alerts, outbox, people, restoring, wake
from outreach.audit import audit
from outreach.cli import restored as cli
from outreach.cli import suppressions
from outreach.domain.deliveries import State
from outreach.errors import BadInput, BadRows, NotNow
from outreach.models import Anomaly, Attempt, Brake, Database, Delivery, Supporter, Suppression
from outreach.outbox import RESTORED
from outreach.settings import Settings
from tests import factories
from tests.fakes.events import event
from tests.integration.inside import send
from tests.integration.reports import Reports, letter, reports_of

pytestmark = pytest.mark.usefixtures("rung")


@pytest.fixture
def reports(db: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Reports:
    monkeypatch.setattr(wake, "ring", lambda _url, _task: True)
    return reports_of(db, settings, now)


def nobodys(
    reports: Reports, number: int, *, env: str | None = "test", kind: str = "delivered", after: float = 0
) -> dict:  # type: ignore[type-arg]
    """A report about a mail that these books never had."""
    args = {"oe_delivery": f"lost{number:012}", "oe_attempt": "1"} | ({"oe_env": env} if env else {})
    record = {"to": "mayor@example.net", "message_id": f"Lost{number}", "number": 1, "custom_args": args}
    return event(record, kind, at=reports.site.now.timestamp() + after)


def is_stopped(db: Database) -> bool:
    with db.read() as session:
        return RESTORED in [brake.scope for brake in outbox.brakes_pulled(session)]


def told(db: Database) -> list[str]:
    with db.read() as session:
        return [alert.key for alert in alerts.standing(session)]


def test_one_or_two_unknown_mails_are_told_and_from_the_third_on_nothing_leaves(reports: Reports, db: Database) -> None:
    reports.tell(nobodys(reports, 1), nobodys(reports, 1, kind="processed"), nobodys(reports, 2), nobodys(reports, 2))
    assert told(db) == ["restored"]
    assert not is_stopped(db), "two mails, whatever is told of them"

    reports.tell(nobodys(reports, 3))
    assert is_stopped(db)
    with db.read() as session:
        found = restoring.look(session, now=reports.site.now)
        assert session.scalars(select(Brake.pulled_by)).all() == ["provider"]
    assert {mail.delivery for mail in found.mails} == {f"lost{n:012}" for n in (1, 2, 3)}
    assert found.unknown == 3


@pytest.mark.parametrize("env", [None, "staging"])
def test_what_does_not_say_that_it_is_ours_stops_nothing(reports: Reports, db: Database, env: str | None) -> None:
    reports.tell(*[nobodys(reports, n, env=env) for n in range(5)])
    assert not is_stopped(db)
    assert told(db) == []


def test_after_a_person_has_let_go_older_mails_stop_nothing_and_newer_ones_do(reports: Reports, db: Database) -> None:
    reports.tell(*[nobodys(reports, n) for n in range(3)])
    with db.begin() as session:
        restoring.accept(session, actor="cli", reason="all known", now=reports.site.now)
    assert told(db) == []

    reports.tell(*[nobodys(reports, n, after=-60) for n in range(10, 14)])
    assert not is_stopped(db), "they left before it was accepted"
    with db.read() as session:
        assert audit(session, replace(reports.site.settings, transport="sendgrid")).problems == [], (
            "what was lost is known to be lost"
        )

    reports.site.now += timedelta(minutes=1)
    reports.tell(*[nobodys(reports, n) for n in range(20, 23)])
    assert is_stopped(db)


def test_three_in_a_long_time_are_no_restore(reports: Reports, db: Database) -> None:
    for number in range(3):
        reports.site.now += timedelta(days=4)
        reports.tell(nobodys(reports, number))
    assert not is_stopped(db)


def test_an_attempt_that_only_the_provider_knows_is_written_down_and_settles_the_letter(
    reports: Reports, db: Database
) -> None:
    with db.begin() as session:
        ref = letter(session, factories.campaign(session), state=State.QUEUED).ref
    row = reports.about(ref, "delivered") | {"oe_attempt": "1"}
    reports.tell(row)

    with db.read() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.ref == ref)).one()
        attempt = session.scalars(select(Attempt)).one()
        assert (delivery.state, delivery.attempts) == (State.ACCEPTED, 1)
        assert (attempt.number, attempt.outcome, attempt.lane_id) == (1, "accepted", delivery.lane_id)
        assert attempt.ended_at == reports.site.now.replace(microsecond=0)
        assert session.scalars(select(Anomaly.delivery_id)).one() == delivery.id
        assert audit(session, replace(reports.site.settings, transport="sendgrid")).problems == []


def test_an_erasure_that_the_backup_does_not_know_is_done_again(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        signature = factories.signature(session, campaign, by="jane@example.org")
        jane = session.get_one(Supporter, signature.supporter_id)
        hash_, jane_id = jane.address_hash, jane.id
        session.add(Suppression(address_hash=hash_, scope="all", reason="bounced", at=now))
    with db.begin() as session:
        people.erase(session, people.Person(hash_, jane_id), actor="cli", now=now)
        lines = "".join(map(restoring.write_no, restoring.noes(session)))
        session.rollback()  # the backup is from before

    with db.begin() as session:
        done = restoring.say_again(session, restoring.read_noes(lines, name="noes"), actor="cli", now=now)
        assert (done.noes, done.suppressed, done.erased) == (1, 0, 1)
    with db.begin() as session:
        again = restoring.say_again(session, restoring.read_noes(lines, name="noes"), actor="cli", now=now)
        assert (again.suppressed, again.erased) == (0, 0)
        assert session.get_one(Supporter, jane_id).erased_at == now
        assert session.scalars(select(Suppression.reason)).all() == ["erased"]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"hash": "h"}',
        '{"hash": 1, "scope": "all", "reason": "r", "at": "2026-03-02T12:00:00+00:00"}',
        '{"hash": "h", "scope": "all", "reason": "r", "at": "2026-03-02"}',
    ],
)
def test_a_line_that_is_no_entry_is_named(line: str) -> None:
    with pytest.raises(BadRows) as error:
        restoring.read_noes(line, name="noes.jsonl")
    assert error.value.where == "noes.jsonl:1"


def test_letting_go_wants_a_reason_and_something_to_let_go(db: Database, now: datetime) -> None:
    with pytest.raises(BadInput):
        cli.restored(accept=True, reason=" ")
    with db.begin() as session, pytest.raises(NotNow):
        restoring.accept(session, actor="cli", reason="why", now=now)


def test_a_list_is_never_written_over_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path))
    suppressions.export(tmp_path / "noes.jsonl")
    with pytest.raises(BadInput, match="already"):
        suppressions.export(tmp_path / "noes.jsonl")


def test_staff_see_what_is_lost_before_they_let_go(reports: Reports, staff: TestClient, db: Database) -> None:
    reports.tell(*[nobodys(reports, n) for n in range(3)])
    queue = staff.get("/staff").text
    assert "The provider has mails of ours" in queue
    assert 'href="/staff/resume?scope=restored">Resume sending' in queue
    assert "The provider’s reports paused it" in queue
    page = staff.get("/staff/resume?scope=restored").text
    assert "3 mails that they do not know" in page
    assert "lost000000000002" in page
    assert send(staff, "/staff/resume?scope=restored").status_code == 303
    assert not is_stopped(db)
    assert told(db) == []
