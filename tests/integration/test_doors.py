"""The circuit breaker of each way out: closed for all workers at once, tried by one mail, and people are told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from outreach import alerts, outbox
from outreach.domain.deliveries import State, Stream
from outreach.errors import NotNow
from outreach.models import Attempt, AuditEntry, Database, Delivery
from outreach.outbox import Answer, Claim
from outreach.outbox.doors import is_closed
from outreach.transports.base import Ailing, LockedOut, NoAnswer, Outcome, Receipt, Refused, Simulated, Unavailable
from tests.integration.outbox_scenes import claim, intend, letters, settle, states
from tests.integration.races import behind

MINUTE = timedelta(minutes=1)
BUSY = Unavailable("429", retry_after=timedelta(seconds=7), whole=True)
WRONG_KEY = LockedOut("401 the key is wrong", retry_after=MINUTE)


def offer(db: Database, held: Claim | None, outcome: Outcome, now: datetime) -> int:
    """Hand over what is held with this outcome for each; how many it were."""
    assert held is not None
    going = intend(db, held, now)
    settle(db, held, [Answer(g, outcome) for g in going], now)
    return len(going)


def told(db: Database) -> list[str]:
    with db.read() as session:
        return [alert.key for alert in alerts.standing(session)]


def test_c8_a_refused_key_loses_nothing_tells_people_and_sends_again_once_it_is_right(
    db: Database, now: datetime
) -> None:
    letters(db, 20)
    assert offer(db, claim(db, now, limit=5), WRONG_KEY, now) == 5
    assert told(db) == ["transport:memory"]
    assert claim(db, now + timedelta(seconds=59)) is None

    now += MINUTE
    assert offer(db, claim(db, now), WRONG_KEY, now) == 1, "one mail tries the door"
    assert claim(db, now + timedelta(seconds=59)) is None

    now += MINUTE
    assert offer(db, claim(db, now), Receipt("p1"), now) == 1
    assert told(db) == []
    assert offer(db, claim(db, now), Receipt("p2"), now) == 19
    assert states(db) == {State.ACCEPTED: 20}
    with db.read() as session:
        assert set(session.scalars(select(Delivery.tries))) == {0}


def test_the_alert_names_the_way_out_and_its_reason(db: Database, now: datetime) -> None:
    letters(db, 1)
    offer(db, claim(db, now), WRONG_KEY, now)
    with db.read() as session:
        (alert,) = alerts.standing(session)
    assert alert.message == "Nothing leaves by memory: 401 the key is wrong."


def test_of_many_workers_one_tries_a_door_that_was_closed(db: Database, now: datetime) -> None:
    letters(db, 30)
    offer(db, claim(db, now, limit=1), BUSY, now)
    now += MINUTE
    start = Barrier(4)

    def work(_: int) -> list[int]:
        start.wait()
        held = claim(db, now)
        return list(held.ids) if held else []

    with ThreadPoolExecutor(4) as pool:
        assert sorted(len(ids) for ids in pool.map(work, range(4))) == [0, 0, 0, 1]


def test_a_door_whose_knocker_died_is_tried_again_after_a_while(db: Database, now: datetime) -> None:
    letters(db, 3)
    offer(db, claim(db, now, limit=1), BUSY, now)
    now += MINUTE
    assert claim(db, now) is not None
    assert claim(db, now + timedelta(seconds=14)) is None
    assert claim(db, now + timedelta(seconds=15)) is not None


def test_nothing_due_means_that_nobody_knocked(db: Database, now: datetime) -> None:
    first, last = letters(db, 2)
    offer(db, claim(db, now, limit=1), BUSY, now)
    now += MINUTE
    with db.begin() as session:
        for id_ in (first, last):
            session.get_one(Delivery, id_).due_at = now + MINUTE
    assert claim(db, now) is None
    with db.begin() as session:
        session.get_one(Delivery, last).due_at = now
    assert claim(db, now) is not None


@pytest.mark.parametrize("outcome", [Refused("550"), Unavailable("450 greylisted"), Simulated("200")])
def test_an_answer_about_the_mail_alone_lets_the_next_one_try_at_once(
    db: Database, now: datetime, outcome: Outcome
) -> None:
    letters(db, 3)
    offer(db, claim(db, now, limit=1), BUSY, now)
    now += MINUTE
    assert offer(db, claim(db, now), outcome, now) == 1
    assert offer(db, claim(db, now), Receipt(), now) == 1, "still one mail only"
    assert claim(db, now) is not None


def test_each_strike_in_a_row_doubles_the_wait_up_to_a_quarter_of_an_hour(db: Database, now: datetime) -> None:
    letters(db, 20)
    waits = []
    for _ in range(9):
        offer(db, claim(db, now, limit=1), Unavailable("no connection", whole=True), now)
        waits.append(_until_it_may_be_tried(db, now))
        now += waits[-1]
    assert [wait.total_seconds() for wait in waits] == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    assert told(db) == ["transport:memory"], "whatever the cause, by now it is worth a look"


def _until_it_may_be_tried(db: Database, now: datetime) -> timedelta:
    for seconds in range(1, 1000):
        with db.read() as session:
            if not is_closed(session, "memory", now=now + timedelta(seconds=seconds)):
                return timedelta(seconds=seconds)
    raise AssertionError("it never opens")


def test_many_answers_of_trouble_give_the_provider_a_rest(db: Database, now: datetime) -> None:
    letters(db, 20)
    for outcome in (Ailing("503 try later"), NoAnswer("timeout")):
        assert offer(db, claim(db, now, limit=6), outcome, now) == 6
        assert claim(db, now + timedelta(seconds=14)) is None
        now += MINUTE
        assert offer(db, claim(db, now), Receipt(), now) == 1
    assert claim(db, now) is not None


def test_one_answer_of_trouble_is_one_mails_bad_luck(db: Database, now: datetime) -> None:
    letters(db, 20)
    assert offer(db, claim(db, now, limit=5), Ailing("503 try later"), now) == 5
    assert claim(db, now) is not None


@pytest.mark.parametrize("outcome", [Ailing("503"), NoAnswer("timeout")])
def test_trouble_met_by_the_mail_that_tries_the_door_closes_it_again(
    db: Database, now: datetime, outcome: Outcome
) -> None:
    letters(db, 3)
    offer(db, claim(db, now, limit=1), BUSY, now)
    now += MINUTE
    offer(db, claim(db, now), outcome, now)
    assert claim(db, now + timedelta(seconds=29)) is None
    assert claim(db, now + timedelta(seconds=30)) is not None


def test_an_older_acceptance_does_not_reopen_a_door_that_closed_since(db: Database, now: datetime) -> None:
    letters(db, 6)
    slow, stopped = claim(db, now, limit=1), claim(db, now, limit=1)
    assert slow is not None
    going = intend(db, slow, now)
    pause = Unavailable("429", retry_after=timedelta(minutes=10), whole=True)
    offer(db, stopped, pause, now)
    settle(db, slow, [Answer(going[0], Receipt())], now)
    assert claim(db, now + timedelta(minutes=9)) is None

    now += timedelta(minutes=10)
    first = claim(db, now)
    assert first is not None
    going = intend(db, first, now)
    now += MINUTE
    offer(db, claim(db, now), pause, now)
    settle(db, first, [Answer(going[0], Receipt())], now)
    assert claim(db, now + timedelta(minutes=9)) is None


def test_mails_that_meet_a_closing_together_are_one_strike(db: Database, now: datetime) -> None:
    letters(db, 4)
    held = [claim(db, now, limit=1) for _ in range(3)]
    going = [(one, intend(db, one, now)) for one in held if one is not None]
    for one, mails in going:
        settle(db, one, [Answer(mail, Unavailable("no connection", whole=True)) for mail in mails], now)
    assert len(going) == 3
    assert _until_it_may_be_tried(db, now) == timedelta(seconds=15)


def test_a_person_who_would_not_wait_has_the_next_mail_try_the_door(db: Database, now: datetime) -> None:
    letters(db, 1)
    offer(db, claim(db, now), Unavailable("away", whole=True), now)
    letters(db, 2)
    later = now + timedelta(seconds=1)
    assert claim(db, later) is None
    with db.begin() as session:
        outbox.try_now(session, "memory", actor="user:1", now=later)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "transport.try")).one()
        assert (entry.actor, entry.subject) == ("user:1", "transport:memory")
    held = claim(db, later)
    assert held is not None
    assert len(held.ids) == 1, "one mail tries it, and all others wait for what comes of that"
    assert claim(db, later) is None
    offer(db, held, Receipt(), later)
    with db.begin() as session, pytest.raises(NotNow):
        outbox.try_now(session, "memory", actor="user:1", now=later)


def test_a_brake_that_is_let_go_while_it_is_pulled_again_holds(db: Database, now: datetime) -> None:
    with db.begin() as session:
        outbox.pull_brake(session, "all", actor="user:1", reason="first", now=now)
    behind(
        db,
        lambda session: outbox.lift_brake(session, "all", actor="user:1", now=now),
        lambda session: outbox.pull_brake(session, "all", actor="user:2", reason="again", now=now),
    )
    with db.read() as session:
        assert [brake.reason for brake in outbox.brakes_pulled(session)] == ["again"]


def test_a_brake_on_one_way_out_stops_it_before_and_after_the_claim(db: Database, now: datetime) -> None:
    letters(db, 2)
    held = claim(db, now, limit=1)
    assert held is not None
    with db.begin() as session:
        outbox.pull_brake(session, "transport:memory", actor="user:1", reason="moving", now=now)
    assert intend(db, held, now) == []
    assert claim(db, now) is None
    with db.begin() as session:
        outbox.lift_brake(session, "transport:memory", actor="user:1", now=now)
    assert claim(db, now) is not None


def test_what_may_have_left_before_is_not_claimed_for_another_way(db: Database, now: datetime) -> None:
    one, other = letters(db, 2)
    with db.begin() as session:
        session.get_one(Delivery, one).maybe_sent = True
        held = outbox.claim(
            session, Stream.LETTERS, transport="second", now=now, limit=9, lease=MINUTE, only_fresh=True
        )
    assert held is not None
    assert held.ids == [other]


def test_c20_a_simulated_mail_counts_as_sent_nowhere(db: Database, now: datetime) -> None:
    one, other = letters(db, 2)
    with db.begin() as session:
        session.get_one(Delivery, other).maybe_sent = True
    offer(db, claim(db, now), Simulated("200 sandbox"), now)
    with db.read() as session:
        rows = dict(session.execute(select(Delivery.id, Delivery.state)).all())
        assert rows == {one: State.DEAD, other: State.IN_DOUBT}
        assert session.get_one(Delivery, one).reason == "simulated"
        assert session.get_one(Delivery, one).accepted_at is None
        assert set(session.scalars(select(Attempt.outcome))) == {"refused"}
        ref = session.get_one(Delivery, one).ref
    with db.begin() as session:
        outbox.resend(session, ref, actor="user:1", now=now)
    assert offer(db, claim(db, now), Receipt(), now) == 1
