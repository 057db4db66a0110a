"""What follows from a report: for a signer's address, for an office's mailbox, for the consent ledger, for us."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from outreach import alerts, outbox, suppression, wake
from outreach.domain.deliveries import EventState, MailClass, State, Stream
from outreach.models import Consent, Contact, ContactState, Database, Delivery, Signature, SignatureState, Suppression
from outreach.outbox import Books
from outreach.outbox.holding import SIGNER_BOUNCED
from outreach.settings import Settings
from tests import factories
from tests.integration.reports import Reports, letter, mailing, notice, reports_of

JANE, SAM = "jane@example.org", "sam@example.org"
LEASE = timedelta(minutes=2)


@pytest.fixture
def reports(db: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Reports:
    monkeypatch.setattr(wake, "ring", lambda _url, _task: True)
    return reports_of(db, settings, now)


def closed(db: Database, address: str = JANE) -> set[tuple[str, str]]:
    with db.read() as session:
        mine = select(Suppression).where(Suppression.address_hash == factories.hash_address(address))
        return {(s.scope, s.reason) for s in session.scalars(mine)}


def nobody_is_suppressed(db: Database) -> bool:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Suppression)) == 0


def open_alerts(db: Database) -> list[str]:
    with db.read() as session:
        return [alert.key for alert in alerts.standing(session)]


def row(db: Database, ref: str) -> Delivery:
    with db.read() as session:
        return session.scalars(select(Delivery).where(Delivery.ref == ref)).one()


def words(db: Database, address: str = JANE) -> list[tuple[bool, str]]:
    """What the ledger says about updates, oldest first."""
    with db.read() as session:
        entries = session.scalars(
            select(Consent)
            .where(Consent.supporter_id == factories.supporter(session, address).id, Consent.purpose == "updates")
            .order_by(Consent.at, Consent.id)
        )
        return [(entry.given, entry.source) for entry in entries]


def offer(db: Database, stream: Stream, now: datetime) -> dict[str, State]:
    """Claim what is due and go as far as the moment before the hand-over; the state of each mail then."""
    with db.begin() as session:
        held = outbox.claim(session, stream, transport="memory", now=now, limit=100, lease=LEASE)
    if held is not None:
        with db.begin() as session, Books(session, now=now) as books:
            outbox.intend(session, held, held.ids, transport="memory", now=now, lease=LEASE, books=books)
    with db.read() as session:
        return dict(session.execute(select(Delivery.ref, Delivery.state).where(Delivery.stream == stream)).all())


def test_d7_a_signers_hard_bounce_closes_the_address_and_a_running_wave_skips_it(
    reports: Reports, db: Database, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        bounced = mailing(session, campaign, by=JANE).ref
        next_ = {
            who: mailing(session, factories.campaign(session), by=who, state=State.QUEUED).ref for who in (JANE, SAM)
        }

    reports.tell(reports.about(bounced, "bounce"))

    assert closed(db) == {("all", "bounced")}
    states = offer(db, Stream.NEWS, now)
    assert (states[next_[JANE]], states[next_[SAM]]) == (State.SUPPRESSED, State.SENDING)


def test_d7_an_offices_hard_bounce_sets_its_contact_aside_and_suppresses_nobody(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        bounced = letter(session, campaign, by=JANE).ref
        waiting = [letter(session, campaign, state=state).ref for state in (State.QUEUED, State.CLAIMED)]
        contact_id = session.scalars(select(Contact.id)).one()

    reports.tell(reports.about(bounced, "bounce"))

    with db.read() as session:
        assert session.get_one(Contact, contact_id).state is ContactState.FAILING
    assert {(row(db, ref).state, row(db, ref).reason) for ref in waiting} == {(State.HELD, "no_contact")}
    assert open_alerts(db) == [f"contact:{contact_id}"]
    assert nobody_is_suppressed(db)


def test_offices_that_share_a_mailbox_are_set_aside_together(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        shared = [factories.target(session, email="office@example.net") for _ in range(2)]
        first, second = (factories.campaign(session, targets=[target]) for target in shared)
        bounced, waiting = letter(session, first).ref, letter(session, second, state=State.QUEUED).ref

    reports.tell(reports.about(bounced, "bounce"))

    assert row(db, waiting).state is State.HELD
    assert len(open_alerts(db)) == 2


def test_a_mailbox_that_was_given_again_is_not_set_aside_by_an_old_report(
    reports: Reports, db: Database, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        bounced = letter(session, campaign).ref
    told = reports.about(bounced, "bounce")
    with db.begin() as session:
        old = session.scalars(select(Contact)).one()
        old.ended_at = now + timedelta(hours=1)
        session.flush()
        factories.contact(
            session, factories.targets_of(session, campaign)[0], email=old.value, now=now + timedelta(hours=1)
        )
    reports.site.now += timedelta(hours=2)

    reports.tell(told)

    assert open_alerts(db) == []


@pytest.mark.parametrize(
    "said",
    [
        {"status": "5.2.2", "reason": "552 5.2.2 mailbox full"},
        {"status": "5.7.1", "reason": "550 5.7.1 we do not like you"},
        {"type": "blocked", "status": "5.1.1"},
    ],
)
def test_d8_what_is_not_the_addresss_fault_closes_nothing(reports: Reports, db: Database, said: dict[str, Any]) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        to_office, to_signer = letter(session, campaign).ref, notice(session, campaign, by=JANE).ref
        waiting = letter(session, campaign, state=State.QUEUED).ref

    reports.tell(*(reports.about(ref, "bounce", **said) for ref in (to_office, to_signer)))

    assert row(db, to_office).event_state is row(db, to_signer).event_state is EventState.BOUNCED
    assert row(db, waiting).state is State.QUEUED
    assert open_alerts(db) == []
    assert nobody_is_suppressed(db)


def test_three_soft_bounces_within_a_month_close_an_address_and_a_delivery_among_them_opens_it_again(
    reports: Reports, db: Database
) -> None:
    with db.begin() as session:
        refs = [notice(session, factories.campaign(session), by=JANE).ref for _ in range(4)]
    full = {"status": "5.2.2", "reason": "full"}
    day = 86_400.0

    reports.tell(*(reports.about(ref, "bounce", after=n * 10 * day, **full) for n, ref in enumerate(refs[:2])))
    assert nobody_is_suppressed(db)
    reports.tell(reports.about(refs[2], "bounce", after=20 * day, **full))
    assert closed(db) == {("all", "unreachable")}

    reports.tell(reports.about(refs[3], "delivered", after=15 * day))
    assert nobody_is_suppressed(db)


def test_d9_a_complaint_closes_every_mail_and_is_counted(reports: Reports, db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        ref = mailing(session, campaign, by=JANE).ref

    reports.tell(reports.about(ref, "spamreport"))

    assert closed(db) == {("all", "complained")}
    assert row(db, ref).event_state is EventState.COMPLAINED


@pytest.mark.parametrize("kind", ["unsubscribe", "group_unsubscribe"])
def test_d9_an_unsubscribe_reaches_suppression_and_ledger(reports: Reports, db: Database, kind: str) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        ref = mailing(session, campaign, by=JANE).ref

    reports.tell(reports.about(ref, kind, after=60))

    assert closed(db) == {("news", "unsubscribed")}
    assert words(db) == [(True, "web"), (False, "provider")]
    assert row(db, ref).event_state is None, "stopping says nothing about the delivery"


def test_a_resubscribe_takes_back_what_was_said_through_the_provider(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        ref = mailing(session, campaign, by=JANE).ref

    reports.tell(reports.about(ref, "group_unsubscribe", after=60))
    reports.tell(reports.about(ref, "group_resubscribe", after=120))

    assert nobody_is_suppressed(db)
    assert words(db) == [(True, "web"), (False, "provider"), (True, "provider")]


def test_a_resubscribe_at_the_provider_does_not_take_back_a_no_that_was_said_to_us(
    reports: Reports, db: Database
) -> None:
    with db.begin() as session:
        ref = mailing(session, factories.campaign(session), by=JANE).ref
        factories.suppression(session, JANE, scope="news", reason="unsubscribed")

    reports.tell(reports.about(ref, "group_unsubscribe", after=60))
    reports.tell(reports.about(ref, "group_resubscribe", after=120))

    assert closed(db) == {("news", "unsubscribed")}


def test_b9_after_an_unsubscribe_nothing_more_of_a_planned_wave_leaves(
    reports: Reports, db: Database, now: datetime
) -> None:
    with db.begin() as session:
        ref = mailing(session, factories.campaign(session), by=JANE).ref
        planned = mailing(session, factories.campaign(session), by=JANE, state=State.QUEUED).ref

    reports.tell(reports.about(ref, "unsubscribe"))

    assert offer(db, Stream.NEWS, now)[planned] is State.SUPPRESSED


def test_b10_mail_about_ones_own_letter_still_leaves_after_an_unsubscribe(
    reports: Reports, db: Database, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        ref = mailing(session, campaign, by=JANE).ref
        signature = session.scalars(select(Signature)).one()
        receipt = factories.delivery(session, signature, mail_class=MailClass.NOTICE, purpose="receipt").ref

    reports.tell(reports.about(ref, "unsubscribe"))

    assert offer(db, Stream.ACT, now)[receipt] is State.SENDING


def test_a_signer_whose_mail_comes_back_has_their_letters_held_for_staff(
    reports: Reports, db: Database, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        mine = letter(session, campaign, by=JANE, state=State.QUEUED)
        receipt = notice(session, factories.campaign(session), by=JANE, purpose="receipt").ref
        other = letter(session, campaign, by=SAM, state=State.QUEUED).ref
        gone = letter(session, factories.campaign(session), by=JANE).ref

    reports.tell(reports.about(receipt, "bounce", after=60))

    assert (row(db, mine.ref).state, row(db, mine.ref).reason) == (State.HELD, SIGNER_BOUNCED)
    assert row(db, other).state is State.QUEUED
    assert row(db, gone).state is State.ACCEPTED
    with db.begin() as session:
        assert outbox.release(session, mine.ref, actor="user:1", now=now).state is State.QUEUED


@pytest.mark.parametrize("reason", ["no_contact", "wave", "staff"])
def test_what_waits_for_something_else_does_not_slip_out_when_that_comes(
    reports: Reports, db: Database, now: datetime, reason: str
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        signature = factories.signature(session, campaign, by=JANE, state=SignatureState.CONFIRMED)
        mine = factories.delivery(session, signature, state=State.HELD, reason=reason).ref
        receipt = notice(session, factories.campaign(session), by=JANE, purpose="receipt").ref
        (target,) = factories.targets_of(session, campaign)

    reports.tell(reports.about(receipt, "bounce", after=60))
    with db.begin() as session:
        outbox.contact_changed(session, target.id, now=now, actor="user:1")

    assert row(db, mine).state is State.HELD
    assert row(db, mine).reason == (reason if reason == "staff" else SIGNER_BOUNCED)


def test_a_bounced_confirmation_stops_no_letter_that_was_confirmed_since(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        first = notice(session, campaign, by=JANE).ref
    told = reports.about(first, "bounce")
    with db.begin() as session:
        later = reports.site.now + timedelta(hours=1)
        other = factories.campaign(session)
        signature = factories.signature(session, other, by=JANE, state=SignatureState.CONFIRMED, now=later)
        confirmed = factories.delivery(session, signature).ref

    reports.tell(told)

    assert row(db, confirmed).state is State.QUEUED
    with db.read() as session:
        assert {str(state) for state in session.scalars(select(Signature.state))} == {"pending", "confirmed"}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Bounced Address", {("all", "bounced")}),
        ("Spam Reporting Address", {("all", "complained")}),
        ("Unsubscribed Address", {("news", "unsubscribed")}),
        ("Invalid", {("all", "bounced")}),
        ("Recipient List over Package Quota", set()),
    ],
)
def test_the_providers_own_list_is_taken_over(
    reports: Reports, db: Database, reason: str, expected: set[tuple[str, str]]
) -> None:
    with db.begin() as session:
        ref = notice(session, factories.campaign(session), by=JANE).ref

    reports.tell(reports.about(ref, "dropped", reason=reason))

    assert row(db, ref).event_state is EventState.DROPPED
    assert closed(db) == expected


def test_a_suspended_account_stops_the_way_out_until_people_let_go(
    reports: Reports, db: Database, now: datetime
) -> None:
    told = {
        "event": "account_status_change",
        "type": "compliance_suspend",
        "sg_event_id": "a-1",
        "timestamp": int(now.timestamp()),
    }

    reports.tell(told)

    assert open_alerts(db) == ["account:sendgrid"]
    with db.begin() as session:
        assert [brake.scope for brake in outbox.brakes_pulled(session)] == ["transport:sendgrid"]
        outbox.lift_brake(session, "transport:sendgrid", actor="user:1", now=now + timedelta(hours=1))
    reports.site.now += timedelta(hours=2)
    reports.tell(told | {"sg_event_id": "a-2"})  # the same news, late
    with db.read() as session:
        assert outbox.brakes_pulled(session) == []


def test_an_office_that_calls_a_letter_spam_gets_no_more_and_no_signer_pays_for_it(
    reports: Reports, db: Database
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        ref, waiting = letter(session, campaign, by=JANE).ref, letter(session, campaign, state=State.QUEUED).ref

    reports.tell(reports.about(ref, "spamreport"))

    assert row(db, waiting).state is State.HELD
    assert nobody_is_suppressed(db)


def test_a_stronger_reason_takes_the_place_of_a_weaker_one(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        ref = notice(session, factories.campaign(session), by=JANE).ref

    reports.tell(reports.about(ref, "bounce"))
    reports.tell(reports.about(ref, "spamreport", after=5))
    reports.tell(reports.about(ref, "bounce", after=9))

    assert closed(db) == {("all", "complained")}


def test_suppression_of_a_signer_leaves_their_letters_to_offices_alone(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        ref = notice(session, campaign, by=JANE, purpose="receipt").ref
        mine = letter(session, factories.campaign(session), by=JANE, state=State.QUEUED).ref

    reports.tell(reports.about(ref, "spamreport", after=60))

    assert row(db, mine).state is State.QUEUED
    with db.read() as session:
        assert suppression.is_suppressed(session, factories.hash_address(JANE))


def test_people_are_told_when_receivers_refuse_a_stream(reports: Reports, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        refs = [letter(session, campaign).ref for _ in range(20)]

    reports.tell(*(reports.about(ref, "blocked") for ref in refs[:19]))
    assert open_alerts(db) == []

    reports.tell(reports.about(refs[19], "blocked"))
    assert open_alerts(db) == ["refused:letters"]


def test_a_few_refusals_among_many_are_nothing_to_tell(reports: Reports, db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        refs = [letter(session, campaign).ref for _ in range(20)]
        with Books(session, now=now) as books:
            books.count_attempt(Stream.LETTERS, "accepted", 401)

    reports.tell(*(reports.about(ref, "blocked") for ref in refs))

    assert open_alerts(db) == []
