"""Mails in doubt: settled by evidence, never by silence; and what staff are told about the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from outreach import alerts, feedback
from outreach.cli.app import app
from outreach.dashboards import Act, failures_by_cause
from outreach.domain.deliveries import MailClass, State
from outreach.domain.events import Cause, Event, EventKind
from outreach.errors import OutOfReach
from outreach.feedback import Verdict
from outreach.models import Attempt, Contact, Database, Delivery, ProviderEvent, SignatureState
from outreach.settings import Settings
from outreach.transports.sendgrid_log import SendGridLog
from tests import factories
from tests.fakes.sendgrid import API_KEY, FakeSendGrid, fake_sendgrid
from tests.integration.reports import letter, mailing, notice, sent


@pytest.fixture
def provider() -> Iterator[FakeSendGrid]:
    with fake_sendgrid() as fake:
        yield fake


def in_doubt(session: Session, **more: Any) -> str:
    """A letter whose hand-over got no answer."""
    campaign = factories.campaign(session)
    signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
    made = factories.delivery(session, signature, state=State.IN_DOUBT, supporter_id=signature.supporter_id, **more)
    return sent(session, made, outcome="unknown").ref


def take(provider: FakeSendGrid, db: Database, ref: str, at: datetime) -> None:
    """The provider has it, although nobody was told."""
    with db.read() as session:
        to = session.scalar(
            select(Contact.value).join(Delivery, Delivery.contact_id == Contact.id).where(Delivery.ref == ref)
        )
    arguments = {"oe_delivery": ref, "oe_attempt": "1", "oe_env": "test"}
    record = {"to": to, "from": {"email": "letters@example.org"}, "subject": "s", "custom_args": arguments}
    provider.ledger.add([record | {"message_id": f"Fk{ref}", "number": 0, "at": at.timestamp(), "delivery": ref}])


def state(db: Database, ref: str) -> State:
    with db.read() as session:
        return session.scalars(select(Delivery.state).where(Delivery.ref == ref)).one()


def report_all_along(session: Session, begin: datetime, *, every: timedelta, count: int) -> None:
    for n in range(count):
        at = begin + every * n
        event = Event(f"beat-{n}", EventKind.OPENED, at, env="test")
        feedback.keep(session, [event], env="test", now=at)


def test_a_report_that_was_applied_before_the_doubt_arose_settles_it(db: Database, now: datetime) -> None:
    with db.begin() as session:
        ref = in_doubt(session)
        delivery = session.scalars(select(Delivery)).one()
        session.add(
            ProviderEvent(
                id="e-1", kind=EventKind.PROCESSED, at=now, received_at=now, applied_at=now, delivery_id=delivery.id
            )
        )

    assert feedback.reconcile(db, env="test", now=now).by_report == 1

    assert state(db, ref) is State.ACCEPTED


def test_what_the_providers_log_shows_is_settled_and_what_it_does_not_show_is_not(
    db: Database, now: datetime, provider: FakeSendGrid
) -> None:
    with db.begin() as session:
        taken, unknown = in_doubt(session), in_doubt(session)
    take(provider, db, taken, now)
    take(provider, db, unknown, now - timedelta(hours=3))  # some other mail to that office

    with closing(SendGridLog(API_KEY, host=provider.url)) as log:
        done = feedback.reconcile(db, env="test", now=now, logs=[log])

    assert (done.by_log, [doubt.ref for doubt in done.left]) == (1, [unknown])
    assert (state(db, taken), state(db, unknown)) == (State.ACCEPTED, State.IN_DOUBT)
    with db.read() as session:
        assert session.scalars(select(ProviderEvent.raw)).one()["source"] == "log"
        assert {(a.outcome, a.provider_id) for a in session.scalars(select(Attempt))} == {
            ("accepted", f"Fk{taken}"),
            ("unknown", ""),
        }


def test_a_log_that_cannot_be_asked_changes_nothing(db: Database, now: datetime, provider: FakeSendGrid) -> None:
    with db.begin() as session:
        refs = [in_doubt(session) for _ in range(3)]
    provider.log_status = 429

    with closing(SendGridLog(API_KEY, host=provider.url)) as log:
        done = feedback.reconcile(db, env="test", now=now, logs=[log])
        with pytest.raises(OutOfReach, match="429"):
            log.find("x", to="a@example.org", at=now)

    assert {state(db, ref) for ref in refs} == {State.IN_DOUBT}
    assert provider.log_requests == 2, "it is left alone at once"
    assert len(done.left) == 3


def test_the_log_is_not_asked_about_an_address_that_would_change_the_question(
    provider: FakeSendGrid, now: datetime
) -> None:
    with closing(SendGridLog(API_KEY, host=provider.url)) as log:
        assert log.find("x", to='a" OR "1@example.org', at=now) is None

    assert provider.log_requests == 0


def test_silence_is_evidence_only_while_reports_keep_coming(db: Database, now: datetime) -> None:
    with db.begin() as session:
        in_doubt(session)
    later = now + feedback.reconciling.WINDOW

    def verdict(at: datetime) -> Verdict:
        (doubt,) = feedback.reconcile(db, env="test", now=at).left
        return doubt.verdict

    assert verdict(later - timedelta(seconds=1)) is Verdict.WAIT
    assert verdict(later) is Verdict.SILENT
    with db.begin() as session:
        report_all_along(session, now, every=timedelta(minutes=29), count=60)
    assert verdict(later) is Verdict.MAY_RESEND
    with db.begin() as session:
        gap = session.get_one(ProviderEvent, "beat-30")
        gap.received_at = now
    assert verdict(later) is Verdict.SILENT, "one gap of an hour"


def test_silence_says_nothing_when_mails_of_that_hour_went_unreported(db: Database, now: datetime) -> None:
    with db.begin() as session:
        in_doubt(session)
        control = letter(session, factories.campaign(session))
        report_all_along(session, now, every=timedelta(minutes=29), count=60)
    later = now + feedback.reconciling.WINDOW

    assert feedback.reconcile(db, env="test", now=later).left[0].verdict is Verdict.SILENT

    with db.begin() as session:
        event = Event("control", EventKind.DELIVERED, now, control.ref, 1, "test")
        feedback.apply(session, [event], env="test", now=later)
    assert feedback.reconcile(db, env="test", now=later).left[0].verdict is Verdict.MAY_RESEND


def test_nothing_is_ever_sent_again_by_itself(db: Database, now: datetime) -> None:
    with db.begin() as session:
        ref = in_doubt(session)
        report_all_along(session, now, every=timedelta(minutes=29), count=60)

    feedback.reconcile(db, env="test", now=now + feedback.reconciling.WINDOW * 2)

    assert state(db, ref) is State.IN_DOUBT


def test_staff_are_told_of_doubts_that_nothing_settles_until_they_are_gone(db: Database, now: datetime) -> None:
    with db.begin() as session:
        ref = in_doubt(session)
    later = now + timedelta(days=2)

    def keys() -> list[str]:
        with db.read() as session:
            return [alert.key for alert in alerts.standing(session)]

    feedback.reconcile(db, env="test", now=now)
    assert keys() == []
    feedback.reconcile(db, env="test", now=later)
    assert keys() == ["doubts"]
    with db.begin() as session:
        feedback.apply(session, [Event("e", EventKind.PROCESSED, now, ref, 1, "test")], env="test", now=later)
    feedback.reconcile(db, env="test", now=later)
    assert keys() == []


def test_the_alert_of_a_contact_ends_once_it_is_replaced(db: Database, now: datetime) -> None:
    with db.begin() as session:
        factories.campaign(session)
        contact = session.scalars(select(Contact)).one()
        alerts.raise_alert(session, f"contact:{contact.id}", "It fails.", now=now)
    feedback.reconcile(db, env="test", now=now)
    with db.begin() as session:
        assert len(alerts.standing(session)) == 1
        session.get_one(Contact, contact.id).ended_at = now

    feedback.reconcile(db, env="test", now=now)

    with db.read() as session:
        assert alerts.standing(session) == []


@pytest.fixture
def cli(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database,
        "SECRET_KEY": settings.secret_key,
        "ENV": "test",
    }.items():
        monkeypatch.setenv(f"OUTREACH_{name}", value)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_the_command_line_says_what_may_be_done(db: Database, cli: Any, now: datetime) -> None:
    with db.begin() as session:
        letters = in_doubt(session)
        campaign = factories.campaign(session)
        mail = sent(session, mailing(session, campaign, by="sam@example.org", state=State.IN_DOUBT), outcome="unknown")

    told = json.loads(cli("reconcile", "--json").stdout)
    assert (told["by_report"], told["by_log"]) == (0, 0)
    assert {doubt["id"]: doubt["verdict"] for doubt in told["left"]} == {
        letters: "channel_silent",
        mail.ref: "at_most_once",
    }
    assert f"outreach deliveries cancel {mail.ref}" in cli("reconcile").stdout

    assert [alert["key"] for alert in json.loads(cli("alerts", "list", "--json").stdout)["alerts"]] == ["doubts"]
    assert "in doubt" in cli("alerts", "list").stdout
    assert cli("alerts", "close", "doubts").exit_code == 0
    assert isinstance(cli("alerts", "close", "doubts").exception, Exception)
    assert "Nothing is wrong" in cli("alerts", "list").stdout


def test_failures_are_told_by_cause_with_what_helps(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        returned = [letter(session, campaign).ref for _ in range(3)]
        refused = notice(session, factories.campaign(session)).ref
        for waiting, reason in ((State.DEAD, "tries used up: 503"), (State.HELD, "wave"), (State.HELD, "no_contact")):
            letter(session, factories.campaign(session), state=waiting).reason = reason
        in_doubt(session, reason="no answer")
        events = [
            *(Event(f"e{ref}", EventKind.BOUNCED, now, ref, 1, "test", cause=Cause.BAD_ADDRESS) for ref in returned),
            Event("again", EventKind.BOUNCED, now, returned[0], 1, "test", cause=Cause.BAD_ADDRESS),
            Event("refused", EventKind.BLOCKED, now, refused, 1, "test", cause=Cause.REFUSED),
        ]
        feedback.apply(session, events, env="test", now=now)

    with db.read() as session:
        rows = failures_by_cause(session)

    assert {(row.mail_class, row.state, row.reason): (row.n, row.act) for row in rows} == {
        (MailClass.LETTER, State.ACCEPTED, "bad_address"): (3, Act.CONTACT),
        (MailClass.CONFIRMATION, State.ACCEPTED, "refused"): (1, Act.NOTHING),
        (MailClass.LETTER, State.DEAD, "tries used up: 503"): (1, Act.RESEND),
        (MailClass.LETTER, State.HELD, "no_contact"): (1, Act.CONTACT),
        (MailClass.LETTER, State.IN_DOUBT, "no answer"): (1, Act.RESEND),
    }
    assert rows[0].samples == (returned[0], returned[2]), "the most frequent first, with its oldest and newest"
    assert all(row.advice for row in rows)
