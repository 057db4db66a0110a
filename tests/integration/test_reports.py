"""What providers report: verified, written down once, answered, applied later. Numbers are the field rules'."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import func, select

from outreach import alerts, audit, feedback, wake
from outreach.domain.deliveries import EventState, State
from outreach.domain.events import EventKind
from outreach.models import Anomaly, Attempt, Consent, Database, Delivery, ProviderEvent, SignatureState, Suppression
from outreach.settings import Settings
from tests import factories
from tests.fakes.events import EventKey
from tests.integration.reports import Reports, kept, letter, notice, reports_of, sent
from tests.sites import site_of
from tests.statements import statements
from workers import events as tasks

JANE = "jane@example.org"


@pytest.fixture
def reports(db: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Reports:
    monkeypatch.setattr(wake, "ring", lambda _url, _task: True)
    return reports_of(db, settings, now)


def accepted_letter(db: Database, **more: Any) -> str:
    with db.begin() as session:
        return letter(session, factories.campaign(session), **more).ref


def row(db: Database, ref: str) -> Delivery:
    with db.read() as session:
        return session.scalars(select(Delivery).where(Delivery.ref == ref)).one()


def count(db: Database, of: type, *conditions: Any) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(of).where(*conditions)) or 0


def test_d2_without_a_key_everything_is_refused(db: Database, settings: Settings, now: datetime) -> None:
    site = site_of(db, settings, now, [])
    signed = EventKey().signed([{"event": "delivered", "timestamp": 1, "sg_event_id": "e"}], at=now.timestamp())

    assert site.client.post("/hooks/sendgrid/events", content=signed.body, headers=signed.headers).status_code == 403
    assert kept(db) == []


def test_d3_the_same_report_46_times_has_one_effect(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        ref = notice(session, factories.campaign(session), by=JANE).ref
    told = reports.about(ref, "unsubscribe")

    for _ in range(23):
        assert reports.post([told, told]) == 200
        reports.apply()

    assert len(kept(db)) == 1
    assert count(db, Suppression) == 1
    assert count(db, Consent, Consent.purpose == "updates") == 1


def test_a_report_waits_for_its_worker_and_is_then_applied(reports: Reports, db: Database, now: datetime) -> None:
    ref = accepted_letter(db)

    assert reports.post([reports.about(ref, "delivered")]) == 200

    assert row(db, ref).event_state is None
    assert [report.applied_at for report in kept(db)] == [None]
    assert reports.apply().new == 1
    assert row(db, ref).event_state is EventState.DELIVERED
    assert [report.applied_at for report in kept(db)] == [now]
    assert reports.apply().new == 0


def test_the_bell_is_rung_for_new_reports_only(reports: Reports, db: Database) -> None:
    told = reports.about(accepted_letter(db), "delivered")

    with mock.patch("outreach.wake.ring") as ring:
        reports.post([told])
        reports.post([told])

    assert [call.args[1] for call in ring.call_args_list] == ["outreach.events"]


def test_d4_a_late_processed_undoes_nothing_and_a_bounce_after_a_delivery_counts(
    reports: Reports, db: Database
) -> None:
    ref = accepted_letter(db)

    reports.tell(reports.about(ref, "delivered", after=10))
    reports.tell(reports.about(ref, "processed", after=5))
    assert row(db, ref).event_state is EventState.DELIVERED

    reports.tell(reports.about(ref, "bounce", after=90))
    assert row(db, ref).event_state is EventState.BOUNCED


UNNAMED = ("oe_delivery", "oe_attempt", "oe_env", "sg_message_id", "smtp-id")


def unnamed(told: dict[str, Any]) -> dict[str, Any]:
    """As a bounce that came by mail is reported: it names nothing of ours."""
    return {name: value for name, value in told.items() if name not in UNNAMED}


def test_d5_what_nobody_knows_is_kept_and_changes_nothing(reports: Reports, db: Database) -> None:
    ref = accepted_letter(db)

    reports.tell(
        reports.about(ref, "something_new", strange={"a": [1]}),
        unnamed(reports.about(ref, "delivered")) | {"email": "somebody.else@example.com"},
        reports.about(ref, "processed") | {"oe_delivery": "unknown"},
    )

    assert {(report.kind, report.delivery_id is None) for report in kept(db)} == {
        (EventKind.UNKNOWN, False),
        (EventKind.DELIVERED, True),
        (EventKind.PROCESSED, True),
    }
    assert row(db, ref).event_state is None


def test_d5_a_bounce_that_names_nothing_finds_the_only_mail_it_can_be_about(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        ref = notice(session, factories.campaign(session), by=JANE).ref

    stranger = {"email": "somebody.else@example.com", "sg_event_id": "stranger"}
    told = reports.about(ref, "bounce", after=3600)
    reports.tell(reports.about(ref, "processed"), unnamed(told), unnamed(told) | stranger)

    assert row(db, ref).event_state is EventState.BOUNCED
    with db.read() as session:
        books = audit.audit(session, replace(reports.site.settings, transport="sendgrid"))
    assert books.problems == [], "one mail, reported twice, and one that nobody can know"
    assert books.transport.seen == 1


def test_d5_with_two_mails_it_may_be_about_only_the_address_is_closed(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        refs = [notice(session, factories.campaign(session), by=JANE).ref for _ in range(2)]

    reports.tell(unnamed(reports.about(refs[0], "bounce", after=3600)))

    assert [row(db, ref).event_state for ref in refs] == [None, None]
    assert count(db, Suppression, Suppression.reason == "bounced") == 1


def test_d6_one_malformed_row_does_not_lose_the_others(reports: Reports, db: Database) -> None:
    refs = [accepted_letter(db) for _ in range(2)]
    good = [reports.about(ref, "delivered") for ref in refs]

    reports.tell(good[0], None, 7, {"event": "bounce"}, {"event": [], "timestamp": {}}, good[1])  # type: ignore[arg-type]

    assert [row(db, ref).event_state for ref in refs] == [EventState.DELIVERED] * 2


def test_d6_a_report_that_breaks_the_work_on_it_is_set_aside(reports: Reports, db: Database) -> None:
    refs = sorted(accepted_letter(db) for _ in range(3))
    bad = refs[1]
    reports.post([reports.about(ref, "delivered") for ref in refs])
    honest = feedback.applying._raise_state

    def break_at_one(report: ProviderEvent, delivery: Delivery) -> None:
        if delivery.ref == bad:
            raise ValueError("nobody thought of this")
        honest(report, delivery)

    with mock.patch("outreach.feedback.applying._raise_state", break_at_one):
        applied = reports.apply()

    assert (applied.new, applied.failed) == (2, 1)
    assert [row(db, ref).event_state for ref in refs] == [EventState.DELIVERED, None, EventState.DELIVERED]
    assert count(db, Anomaly, Anomaly.kind == "report_not_applied") == 1
    with db.read() as session:
        assert [alert.key for alert in alerts.standing(session)] == ["reports"]
    assert reports.apply().new == 0, "it does not come back"


def test_d10_a_thousand_reports_are_one_insert(reports: Reports, db: Database) -> None:
    ref = accepted_letter(db)
    rows = [reports.about(ref, "processed") | {"sg_event_id": f"e-{n}"} for n in range(1000)]

    with statements(db) as said:
        assert reports.post(rows) == 200

    assert len(kept(db)) == 1000
    assert sum("INSERT" in words for words in said) == 1
    assert len(said) <= 4


def test_a_thousand_reports_are_applied_in_few_statements(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        refs = [letter(session, campaign).ref for _ in range(50)]
    reports.post([reports.about(ref, kind) for ref in refs for kind in ("processed", "deferred", "delivered")])

    with statements(db) as said:
        assert reports.apply().new == 150

    assert len(said) < 30


def test_several_workers_apply_each_report_once(reports: Reports, db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        refs = [letter(session, campaign).ref for _ in range(40)]
    reports.post([reports.about(ref, kind) for ref in refs for kind in ("processed", "delivered", "bounce")])

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda _: feedback.apply_waiting(db, env="test", now=now, batch=7), range(4))

    assert sum(applied.new for applied in done) + reports.apply().new == 120
    assert {row(db, ref).event_state for ref in refs} == {EventState.BOUNCED}


def test_the_tasks_apply_what_waits_and_look_up_what_is_in_doubt(
    reports: Reports, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = SimpleNamespace(db=db, settings=reports.site.settings)
    monkeypatch.setattr("workers.events.joined", lambda: joined)
    with db.begin() as session:
        campaign = factories.campaign(session)
        told, doubted = letter(session, campaign).ref, letter(session, campaign, state=State.IN_DOUBT).ref
    reports.post([reports.about(told, "delivered")])

    tasks.events()
    assert row(db, told).event_state is EventState.DELIVERED

    reports.post([reports.about(doubted, "processed")])
    tasks.reconcile()
    assert row(db, doubted).state is State.ACCEPTED


def test_d12_another_environments_reports_are_acknowledged_and_ignored(reports: Reports, db: Database) -> None:
    ref = accepted_letter(db)

    applied = reports.tell(reports.about(ref, "bounce", oe_env="staging"))

    assert applied.new == 0
    assert kept(db) == []
    assert row(db, ref).event_state is None


def test_fault_f37_a_report_that_cannot_be_written_down_is_asked_for_again(reports: Reports, db: Database) -> None:
    told = reports.about(accepted_letter(db), "delivered")
    with db.begin() as session:
        session.connection().exec_driver_sql("ALTER TABLE provider_events RENAME TO away")

    assert reports.post([told]) == 503

    with db.begin() as session:
        session.connection().exec_driver_sql("ALTER TABLE away RENAME TO provider_events")
    assert reports.post([told]) == 200
    assert len(kept(db)) == 1


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.SENDING, State.QUEUED, State.HELD, State.GIVEN_UP])
def test_fault_f35_a_late_report_proves_that_a_mail_was_taken(reports: Reports, db: Database, state: State) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        outcome = None if state is State.SENDING else "unknown"
        ref = sent(session, factories.delivery(session, signature, state=state), outcome=outcome).ref
    reports.site.now += timedelta(hours=30)

    reports.tell(reports.about(ref, "processed", after=-30 * 3600))

    assert row(db, ref).state is State.ACCEPTED
    with db.read() as session:
        attempt = session.scalars(select(Attempt)).one()
    assert attempt.outcome == "accepted", "F38: the report came before our own answer was written down"
    assert attempt.provider_id == f"Fk{ref}"


@pytest.mark.parametrize("state", [State.CANCELLED, State.SUPPRESSED, State.REJECTED, State.DEAD])
def test_a_report_that_contradicts_the_books_is_told_once_and_changes_no_state(
    reports: Reports, db: Database, state: State
) -> None:
    ref = accepted_letter(db, state=state)

    reports.tell(reports.about(ref, "processed"))
    reports.tell(reports.about(ref, "delivered"))

    assert row(db, ref).state is state
    assert row(db, ref).event_state is EventState.DELIVERED
    assert count(db, Anomaly) == 1
    with db.read() as session:
        assert [alert.key for alert in alerts.standing(session)] == [f"delivery:{ref}"]


def test_nothing_of_the_reader_is_kept(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        ref = notice(session, factories.campaign(session), by=JANE).ref

    reports.tell(
        reports.about(
            ref, "bounce", ip="192.0.2.7", useragent="reader", reason=f"550 5.1.1 <{JANE}> is nobody", url="https://x"
        )
    )

    (report,) = kept(db)
    assert report.address_hash == factories.hash_address(JANE)
    assert (report.ref, report.env, report.hard) == (ref, "test", True)
    assert report.reason == "550 5.1.1 <…> is nobody"
    assert report.raw is not None
    assert {"email", "ip", "useragent", "url"}.isdisjoint(report.raw)
    assert JANE not in str(report.raw)
