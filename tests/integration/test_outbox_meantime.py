"""What may change between the claim and the hand-over, and who meets whom."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import feedback, outbox, targets
from outreach.domain.deliveries import State
from outreach.domain.events import Event, EventKind
from outreach.models import (
    AuditEntry,
    Database,
    Delivery,
    Signature,
    SignatureState,
)
from outreach.outbox import Answer
from outreach.settings import Settings
from outreach.transports.base import Receipt, Unavailable
from tests import factories
from tests.integration.outbox_scenes import LEASE, claim, intend, letters, settle, states
from tests.integration.races import behind


def test_a_letter_that_came_back_after_its_signer_withdrew_does_not_leave(db: Database, now: datetime) -> None:
    letters(db, 1)
    held = claim(db, now)
    assert held is not None
    going = intend(db, held, now)
    with db.begin() as session:  # it is in the air: too late to cancel, but then the provider says "not now"
        signature = session.scalars(select(Signature)).one()
        signature.state = SignatureState.WITHDRAWN
        off = outbox.cancel_letters(session, signature.id, reason="withdrawn", now=now, actor="signer")
    assert off == outbox.CalledOff(cancelled=0, too_late=1)
    settle(db, held, [Answer(going[0], Unavailable("busy"))], now)
    later = now + timedelta(hours=1)
    again = claim(db, later)
    assert again is not None
    assert intend(db, again, later) == []
    assert states(db) == {State.CANCELLED: 1}


def test_a_letter_made_for_a_replaced_contact_goes_to_the_new_one(
    db: Database, settings: Settings, now: datetime
) -> None:
    (id_,) = letters(db, 1)
    held = claim(db, now)
    assert held is not None
    going = intend(db, held, now)
    with db.begin() as session:
        target = targets.find(session, str(session.get_one(Delivery, id_).target_id))
        new = targets.set_contact(
            session, target, email="new@example.org", keys=factories.KEYS, settings=settings, now=now, actor="cli"
        )
        new.lane.hours = None  # type: ignore[union-attr]
        new.lane.days = "all"  # type: ignore[union-attr]
    settle(db, held, [Answer(going[0], Unavailable("busy"))], now)
    later = now + timedelta(hours=1)
    misplaced = claim(db, later)
    assert misplaced is not None
    assert intend(db, misplaced, later) == []
    with db.read() as session:
        row = session.get_one(Delivery, id_)
        assert (row.state, row.contact_id, row.lane_id) == (State.QUEUED, new.id, new.lane_id)


def test_an_office_that_closes_after_the_claim_gets_nothing_more(db: Database, now: datetime) -> None:
    letters(db, 2, hours="08:00-18:00", days="mon-fri", zone="UTC")
    before_six = now.replace(hour=17, minute=59)
    held = claim(db, before_six)
    assert held is not None
    assert intend(db, held, before_six + timedelta(minutes=1)) == []
    assert states(db) == {State.QUEUED: 2}


def test_a_worker_whose_lease_is_over_begins_nothing_even_if_nobody_rescued_it(db: Database, now: datetime) -> None:
    letters(db, 1)
    held = claim(db, now)
    assert held is not None
    assert intend(db, held, now + LEASE) == []
    assert states(db) == {State.CLAIMED: 1}


def test_two_workers_meet_the_first_closed_door_at_once(db: Database, now: datetime) -> None:
    letters(db, 2)
    held = [claim(db, now, limit=1) for _ in range(2)]
    going = [intend(db, h, now) for h in held if h is not None]
    start = Barrier(2)

    def work(n: int) -> None:
        mine = held[n]
        assert mine is not None
        start.wait()
        settle(db, mine, [Answer(going[n][0], Unavailable("401", whole=True))], now)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert states(db) == {State.QUEUED: 2}


def test_reports_that_come_while_a_round_is_settled_never_deadlock_with_it(db: Database, now: datetime) -> None:
    letters(db, 40)
    held = claim(db, now)
    assert held is not None
    going = intend(db, held, now)
    with db.read() as session:
        refs = dict(session.execute(select(Delivery.id, Delivery.ref)).all())
    start = Barrier(2)

    def report() -> None:
        start.wait()
        for n, g in enumerate(reversed(going)):
            event = Event(f"e{n}", EventKind.PROCESSED, now, refs[g.delivery_id], g.attempt, "test")
            with db.begin() as session:
                feedback.apply(session, [event], env="test", now=now)

    def answer() -> None:
        start.wait()
        for n in range(0, len(going), 8):
            settle(db, held, [Answer(g, Receipt()) for g in going[n : n + 8]], now)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(report), pool.submit(answer)]:
            done.result()
    assert states(db) == {State.ACCEPTED: 40}


def test_two_people_who_pull_one_brake_at_once_both_pulled_it(db: Database, now: datetime) -> None:
    pulled: list[int] = []

    def pull(actor: str) -> Callable[[Session], None]:
        return lambda session: pulled.append(outbox.pull_brake(session, "all", actor=actor, reason="stop", now=now).id)

    behind(db, pull("user:1"), pull("user:2"))

    assert len(set(pulled)) == 1
    with db.read() as session:
        assert [brake.pulled_by for brake in outbox.brakes_pulled(session)] == ["user:1"]
        pulls = session.scalars(select(AuditEntry).where(AuditEntry.action == "brake.pull")).all()
        assert [entry.actor for entry in pulls] == ["user:1"]
