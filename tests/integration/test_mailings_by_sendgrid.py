"""Mailings from the outbox to a fake SendGrid and back, on both databases. Numbers are the field rules' and faults'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from outreach import alerts, audit, feedback
from outreach.domain.deliveries import State, Stream
from outreach.models import Attempt, Database, Delivery, Supporter
from outreach.models import Counter as Tally
from outreach.sending import Desk, Hands, send_due
from outreach.settings import Settings
from outreach.transports.sendgrid import SendGridTransport
from outreach.webhooks import sendgrid as webhook
from tests import factories
from tests.fakes.sendgrid import API_KEY, FakeSendGrid, fake_sendgrid
from tests.integration.test_mailings import mailing_to


class Clock:
    """The database's clock, under the test's hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(Database, "now", lambda db: clock.now)
    return clock


@pytest.fixture
def provider() -> Iterator[FakeSendGrid]:
    with fake_sendgrid() as fake:
        yield fake


@pytest.fixture
def hands(provider: FakeSendGrid) -> Iterator[Hands]:
    hands = Hands(SendGridTransport(API_KEY, host=provider.url, env="test", timeout=1), width=4)
    yield hands
    hands.close()


def send(db: Database, settings: Settings, hands: Hands) -> int:
    return send_due(db, hands, Desk(settings, factories.KEYS), stream=Stream.NEWS, settings=settings)


def states(db: Database) -> Counter[State]:
    with db.read() as session:
        return Counter(session.scalars(select(Delivery.state)))


def address_of(db: Database, ref: str) -> str:
    with db.read() as session:
        found = select(Supporter.address).join(Delivery, Delivery.supporter_id == Supporter.id)
        return session.scalars(found.where(Delivery.ref == ref)).one()


def crowd(db: Database, count: int) -> list[str]:
    return mailing_to(db, *(f"Reader {n}" for n in range(count)))


def test_c1_a_wave_to_600_readers_is_two_requests_and_each_reader_gets_one_mail(
    db: Database, settings: Settings, provider: FakeSendGrid, hands: Hands
) -> None:
    refs = crowd(db, 600)

    assert send(db, settings, hands) == 600

    assert sorted(len(payload["personalizations"]) for payload in provider.payloads) == [100, 500]
    assert sorted(record["delivery"] for record in provider.accepted) == sorted(refs)
    with db.read() as session:
        assert audit.audit(session, replace(settings, transport="sendgrid")).problems == []


def test_what_arrives_is_what_would_have_been_sent_to_each_alone(
    db: Database, settings: Settings, provider: FakeSendGrid, hands: Hands
) -> None:
    refs = mailing_to(db, "Anne-Marie O’Neil & Söhne", "李小龍", "Zoë -oe- Q", "%name% [unsubscribe]")
    with db.read() as session:
        ids = session.scalars(select(Delivery.id)).all()
        alone = [parcel.write(db.now()) for parcel in Desk(settings, factories.KEYS).make_up(session, ids)]

    send(db, settings, hands)

    taken = {record["delivery"]: record for record in provider.accepted}
    for message in alone:
        record = taken[message.delivery]
        assert record["subject"] == message.subject
        assert record["text"].split() == message.text.split(), "only its lines may break elsewhere"
        assert record["headers"] == dict(message.headers)
    assert len(provider.payloads) == 1
    assert set(taken) == set(refs)


@pytest.mark.parametrize("how", ["named", "opaque"])
def test_c5_c6_one_bad_row_is_rejected_and_the_others_leave_once(
    db: Database, settings: Settings, provider: FakeSendGrid, hands: Hands, how: str
) -> None:
    refs = crowd(db, 100)
    provider.poisoned[address_of(db, refs[3])] = how

    assert send(db, settings, hands) == 99

    assert states(db) == {State.ACCEPTED: 99, State.REJECTED: 1}
    assert Counter(record["delivery"] for record in provider.accepted) == Counter(refs[:3] + refs[4:])
    assert provider.requests <= 15
    with db.read() as session:
        rejected = session.scalars(select(Delivery).where(Delivery.state == State.REJECTED)).one()
    assert rejected.ref == refs[3]
    assert rejected.reason.startswith("400")


def test_c7_fault_f20_a_429_is_waited_for_and_is_no_attempt(
    db: Database, settings: Settings, provider: FakeSendGrid, hands: Hands, clock: Clock
) -> None:
    crowd(db, 20)
    provider.reset_seconds = 60
    provider.faults.script("429")
    assert send(db, settings, hands) == 0
    with db.begin() as session:
        session.execute(update(Delivery).values(due_at=clock.now))

    clock.pass_(55)
    assert send(db, settings, hands) == -1
    assert provider.requests == 1

    clock.pass_(10)
    assert send(db, settings, hands) == 20
    with db.read() as session:
        assert set(session.scalars(select(Delivery.tries))) == {0}


def test_c8_fault_f27_a_wrong_key_costs_one_call_a_minute_loses_nothing_and_heals(
    db: Database, settings: Settings, provider: FakeSendGrid, clock: Clock
) -> None:
    crowd(db, 50)
    wrong = Hands(SendGridTransport("SG.revoked", host=provider.url), width=4)
    for _ in range(60):  # five minutes of rings
        send(db, settings, wrong)
        clock.pass_(5)
    wrong.close()
    assert provider.requests <= 6
    assert states(db) == {State.QUEUED: 50}
    with db.read() as session:
        assert [alert.key for alert in alerts.standing(session)] == ["transport:sendgrid"]
        assert set(session.scalars(select(Delivery.tries))) == {0}

    clock.pass_(3600)
    right = Hands(SendGridTransport(API_KEY, host=provider.url), width=4)
    assert send(db, settings, right) == 50
    right.close()
    with db.read() as session:
        assert alerts.standing(session) == []


def test_c9_fault_f28_a_request_that_is_too_large_is_cut_and_a_mail_that_is_is_rejected(
    db: Database, settings: Settings, provider: FakeSendGrid, hands: Hands
) -> None:
    crowd(db, 40)
    provider.largest = 20_000
    assert send(db, settings, hands) == 40
    assert len(provider.accepted) == 40

    crowd(db, 1)
    provider.largest = 100
    send(db, settings, hands)
    assert states(db) == {State.ACCEPTED: 40, State.REJECTED: 1}


@pytest.mark.parametrize("fault", ["502", "502_after", "hang", "hang_after", "reset_after"])
def test_c10_fault_f22_f23_f24_a_lost_answer_is_a_doubt_that_no_second_request_follows_and_events_settle(
    db: Database, settings: Settings, provider: FakeSendGrid, hands: Hands, clock: Clock, fault: str
) -> None:
    refs = crowd(db, 20)
    provider.faults.script(fault)
    send(db, settings, hands)
    assert states(db) == {State.IN_DOUBT: 20}

    clock.pass_(3600)
    assert send(db, settings, hands) == -1
    assert provider.requests == 1

    taken = sorted(record["delivery"] for record in provider.accepted)
    assert taken == (sorted(refs) if "after" in fault else [])
    if taken:
        events = webhook.parse(provider.events_for(*provider.accepted, kinds=["processed"]).body, factories.KEYS)
        with db.begin() as session:
            feedback.apply(session, events, env="test", now=clock.now)
        assert states(db) == {State.ACCEPTED: 20}


def test_fault_f21_the_providers_own_trouble_gives_it_a_rest_and_the_mails_another_try(
    db: Database, settings: Settings, provider: FakeSendGrid, hands: Hands, clock: Clock
) -> None:
    crowd(db, 20)
    provider.faults.script("503")
    send(db, settings, hands)
    assert states(db) == {State.QUEUED: 20}
    with db.read() as session:
        assert set(session.scalars(select(Delivery.tries))) == {1}
        due = set(session.scalars(select(Delivery.due_at)))
    assert len(due) > 1, "they do not all come back at once"
    assert all(timedelta(seconds=5) <= at - clock.now <= timedelta(seconds=30) for at in due)

    clock.pass_(60)
    assert send(db, settings, hands) == 20
    assert len(provider.accepted) == 20


def test_c20_in_the_sandbox_no_counter_of_sent_mail_moves(
    db: Database, settings: Settings, provider: FakeSendGrid
) -> None:
    crowd(db, 10)
    sandbox = Hands(SendGridTransport(API_KEY, host=provider.url, sandbox=True), width=4)
    assert send(db, settings, sandbox) == 0
    sandbox.close()

    assert provider.accepted == []
    assert states(db) == {State.DEAD: 10}
    with db.read() as session:
        assert set(session.scalars(select(Delivery.reason))) == {"simulated"}
        assert set(session.scalars(select(Attempt.outcome))) == {"refused"}
        sent = select(func.coalesce(func.sum(Tally.n), 0)).where(Tally.state == State.ACCEPTED)
        assert session.scalar(sent) == 0
        assert audit.audit(session, replace(settings, transport="sendgrid")).problems == []
