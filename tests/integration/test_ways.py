"""Two ways out on both databases: which mails go by which, and what never goes by the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select, update

from outreach import outbox
from outreach.domain.deliveries import State, Stream
from outreach.domain.messages import Message
from outreach.models import Attempt, Database, Delivery
from outreach.sending import Desk, Fallback, Hands, send_due
from outreach.sending.ways import choose_way
from outreach.settings import Settings
from outreach.transports.base import LockedOut, NoAnswer, Receipt, Unavailable
from outreach.transports.memory import MemoryTransport
from tests import factories
from tests.integration.test_sending import campaign_with, states

AWAY = Unavailable("no connection", retry_after=timedelta(minutes=5), whole=True)


class Second(MemoryTransport):
    name = "second"


@pytest.fixture
def first() -> Iterator[Hands]:
    hands = Hands(MemoryTransport(), width=1)
    yield hands
    hands.close()


@pytest.fixture
def second() -> Iterator[Hands]:
    hands = Hands(Second(), width=1)
    yield hands
    hands.close()


def sent(hands: Hands) -> int:
    assert isinstance(hands.transport, MemoryTransport)
    return len(hands.transport.sent)


def answer(hands: Hands, *outcomes: Receipt | Unavailable | NoAnswer) -> None:
    assert isinstance(hands.transport, MemoryTransport)
    hands.transport.answer(*outcomes)


def send(db: Database, settings: Settings, hands: Hands, fallback: Fallback) -> int:
    desk = Desk(settings, factories.KEYS)
    return send_due(db, hands, desk, stream=Stream.LETTERS, settings=settings, fallback=fallback)


def make_due(db: Database) -> None:
    with db.begin() as session:
        session.execute(update(Delivery).where(Delivery.state == State.QUEUED).values(due_at=db.now()))


def test_while_the_first_way_is_open_all_mail_goes_by_it(
    db: Database, settings: Settings, first: Hands, second: Hands
) -> None:
    campaign_with(db, 3, settings)
    send(db, settings, first, Fallback(second))
    assert (sent(first), sent(second)) == (3, 0)


def test_c8_when_the_first_way_closes_what_waits_goes_by_the_second(
    db: Database, settings: Settings, first: Hands, second: Hands
) -> None:
    campaign_with(db, 5, settings)
    answer(first, Receipt(), LockedOut("401", retry_after=timedelta(minutes=1)))

    send(db, settings, first, Fallback(second))
    make_due(db)
    send(db, settings, first, Fallback(second))

    assert (sent(first), sent(second)) == (1, 4)
    assert states(db) == {State.ACCEPTED: 5}
    with db.read() as session:
        by = dict(
            session.execute(
                select(Attempt.transport, func.count()).where(Attempt.outcome == "accepted").group_by(Attempt.transport)
            ).all()
        )
    assert by == {"memory": 1, "second": 4}


def test_what_may_have_left_by_the_first_way_never_leaves_by_the_second(
    db: Database, settings: Settings, first: Hands, second: Hands
) -> None:
    campaign_with(db, 3, settings)
    answer(first, NoAnswer("timeout"), NoAnswer("timeout"), AWAY)
    send(db, settings, first, Fallback(second))
    with db.read() as session:
        in_doubt = session.scalars(select(Delivery).where(Delivery.state == State.IN_DOUBT)).all()
    with db.begin() as session:  # staff let one of the two go again
        outbox.resend(session, in_doubt[0].ref, actor="user:1", now=db.now())
    make_due(db)

    send(db, settings, first, Fallback(second))

    assert sent(second) == 1
    assert states(db) == {State.ACCEPTED: 1, State.IN_DOUBT: 1, State.QUEUED: 1}


def test_a_share_of_the_batches_goes_by_the_second_way_in_good_times(
    db: Database, settings: Settings, first: Hands, second: Hands
) -> None:
    with db.read() as session:

        def chosen(share: int, draw: float) -> str:
            fallback = Fallback(second, share=share)
            return choose_way(session, first, fallback, stream=Stream.NEWS, now=db.now(), draw=draw).name

        assert [chosen(5, draw) for draw in (0.0, 0.049, 0.05, 0.9)] == ["second", "second", "memory", "memory"]
        assert chosen(0, 0.0) == "memory"
        assert chosen(100, 0.999) == "second"


def test_the_second_way_carries_no_more_than_its_allowance(
    db: Database, settings: Settings, first: Hands, second: Hands
) -> None:
    campaign_with(db, 6, settings)
    answer(first, AWAY)
    send(db, settings, first, Fallback(second, per_day=4))
    make_due(db)

    send(db, settings, first, Fallback(second, per_day=4))

    assert sent(second) == 4
    assert states(db) == {State.ACCEPTED: 4, State.QUEUED: 2}


def test_an_allowance_that_others_used_up_meanwhile_stops_the_batch(
    db: Database, with_settings: Callable[..., Settings], first: Hands
) -> None:
    settings = with_settings(handovers="1")
    campaign_with(db, 4, settings)
    answer(first, AWAY)

    class Shared(Second):
        def send(self, message: Message) -> Receipt:
            with db.begin() as session:  # another worker, at the same time
                outbox.spend_allowance(session, self.name, 2, per_day=4, now=db.now())
            return super().send(message)

    hands = Hands(Shared(), width=1)
    send(db, settings, first, Fallback(hands, per_day=4))
    make_due(db)
    send(db, settings, first, Fallback(hands, per_day=4))
    hands.close()

    assert sent(hands) == 2
    assert states(db) == {State.ACCEPTED: 2, State.QUEUED: 2}


def test_many_workers_at_once_spend_no_more_than_there_is(db: Database) -> None:
    start, now = Barrier(4), db.now()

    def spend(_: int) -> int:
        start.wait()
        with db.begin() as session:
            return outbox.spend_allowance(session, "second", 10, per_day=24, now=now)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(spend, range(4))) == 24


def test_an_allowance_fills_over_a_day_and_is_shared_by_all_workers(db: Database) -> None:
    now = db.now()

    def spend(want: int, hours: int = 0) -> int:
        with db.begin() as session:
            return outbox.spend_allowance(session, "second", want, per_day=24, now=now + timedelta(hours=hours))

    assert [spend(20), spend(20), spend(1)] == [20, 4, 0]
    assert spend(20, hours=3) == 3
    with db.read() as session:
        assert outbox.allowance_left(session, "second", per_day=24, now=now + timedelta(hours=30)) == 24
        assert outbox.allowance_left(session, "never used", per_day=7, now=now) == 7


def test_a_brake_on_the_first_way_sends_mail_by_the_second_and_one_on_both_stops_it(
    db: Database, settings: Settings, first: Hands, second: Hands
) -> None:
    campaign_with(db, 2, settings)
    with db.begin() as session:
        outbox.pull_brake(session, "transport:memory", actor="user:1", reason="moving", now=db.now())
        outbox.pull_brake(session, "transport:second", actor="user:1", reason="moving", now=db.now())
    assert send(db, settings, first, Fallback(second)) == -1
    with db.begin() as session:
        outbox.lift_brake(session, "transport:second", actor="user:1", now=db.now())
    assert send(db, settings, first, Fallback(second)) == 2
    assert (sent(first), sent(second)) == (0, 2)


def test_when_both_ways_are_closed_everything_waits(
    db: Database, settings: Settings, first: Hands, second: Hands
) -> None:
    campaign_with(db, 3, settings)
    answer(first, AWAY)
    answer(second, AWAY)
    for _ in range(3):
        send(db, settings, first, Fallback(second))
        make_due(db)
    assert (sent(first), sent(second)) == (0, 0)
    assert states(db) == {State.QUEUED: 3}
