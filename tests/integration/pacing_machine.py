"""One mailbox under a random adversary: three workers on the real outbox, a clock that jumps, caps that change.

The provider's side is kept apart from the engine's: when each hand-over could have left, at the earliest and at the
latest. Whatever sixty minutes are looked at, no more hand-overs reach into them than the mailbox bears.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from outreach import outbox
from outreach.domain.deliveries import Stream
from outreach.domain.pacing import trickling
from outreach.models import Database, Lane, SignatureState
from outreach.outbox import Answer, Books, Claim, Going
from outreach.transports.base import NoAnswer, Receipt, Refused, Unavailable
from tests import factories

LEASE = timedelta(minutes=2)
HOUR = timedelta(hours=1)
ZONE = "America/New_York"
#: A quiet Monday, and the hours before clocks are changed: on these Sundays the office is open as well.
BEGINNINGS = (
    datetime(2026, 3, 2, 12, tzinfo=UTC),
    datetime(2026, 3, 8, 5, tzinfo=UTC),
    datetime(2026, 11, 1, 4, tzinfo=UTC),
)
CAPS = (1, 3, 61, 240)
OUTCOMES = {"taken": Receipt, "refused": lambda: Refused("no"), "silent": lambda: NoAnswer("?")}


@dataclass
class Flight:
    """One hand-over, as the provider might see it: it left at some moment from `began` to `ended`."""

    began: datetime
    claimed: datetime
    cap: int  #: at its claim
    ended: datetime | None = None
    is_void: bool = False  #: certainly not taken


@dataclass
class Worker:
    held: Claim
    claimed: datetime
    cap: int
    going: list[Going] = field(default_factory=list)


class Mailbox(RuleBasedStateMachine):
    """Forty letters from two campaigns for one office."""

    db: ClassVar[Database]

    @initialize(
        beginning=st.sampled_from(BEGINNINGS),
        hours=st.sampled_from(["always", "01:30-18:00"]),
        cap=st.sampled_from(CAPS),
    )
    def open_office(self, beginning: datetime, hours: str, cap: int) -> None:
        self.now, self.hours, self.cap = beginning, hours, cap
        self.workers: dict[int, Worker] = {}
        self.flights: dict[tuple[int, int], Flight] = {}
        with self.db.begin() as session:
            target = factories.target(session, email=None, now=beginning)
            pace = {"per_hour": self.cap, "hours": hours, "zone": ZONE}
            self.lane_id = factories.contact(session, target, now=beginning, **pace).lane_id
            for campaign in [factories.campaign(session, targets=[target], now=beginning) for _ in range(2)]:
                for _ in range(20):
                    signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=beginning)
                    factories.delivery(session, signature, target, now=beginning)

    def teardown(self) -> None:
        with self.db.begin() as session:  # the next office is looked at by itself
            session.get_one(Lane, self.lane_id).opens_at = datetime(2100, 1, 1, tzinfo=UTC)

    # ---- workers ----------------------------------------------------------------------------------------------------

    @rule(w=st.integers(0, 2), limit=st.integers(1, 9))
    def claim(self, w: int, limit: int) -> None:
        if w not in self.workers:
            with self.db.begin() as session:
                held = outbox.claim(session, Stream.LETTERS, transport="played", now=self.now, limit=limit, lease=LEASE)
            if held:
                self.workers[w] = Worker(held, self.now, self.cap)

    @rule(w=st.integers(0, 2))
    def intend(self, w: int) -> None:
        worker = self.workers.get(w)
        if worker is None or worker.going:
            return
        with self.db.begin() as session, Books(session, now=self.now) as books:
            worker.going = outbox.intend(
                session, worker.held, worker.held.ids, transport="played", now=self.now, lease=LEASE, books=books
            )
        for going in worker.going:
            self.flights[going.delivery_id, going.attempt] = Flight(self.now, worker.claimed, worker.cap)
        if worker.going:
            self.c15_nothing_leaves_outside_office_hours()
        else:
            del self.workers[w]

    @rule(w=st.integers(0, 2), outcome=st.sampled_from([*OUTCOMES, "away"]))
    def settle(self, w: int, outcome: str) -> None:
        worker = self.workers.get(w)
        if worker is None or not worker.going:
            return
        del self.workers[w]
        said: Any = OUTCOMES.get(outcome, lambda: Unavailable("busy"))
        with self.db.begin() as session, Books(session, now=self.now) as books:
            answers = [Answer(going, said()) for going in worker.going[:5]]
            base = timedelta(seconds=5)
            outbox.settle(session, worker.held, answers, transport="played", now=self.now, retry_base=base, books=books)
        for going in worker.going[:5]:  # of a larger round the rest is never heard of again
            flight = self.flights[going.delivery_id, going.attempt]
            flight.ended = flight.ended or self.now
            flight.is_void = outcome == "away" and flight.ended == self.now

    @rule(w=st.integers(0, 2), limit=st.integers(1, 9), outcome=st.sampled_from([*OUTCOMES, "away"]))
    def whole_turn(self, w: int, limit: int, outcome: str) -> None:
        self.claim(w, limit)
        self.intend(w)
        self.settle(w, outcome)

    @rule(w=st.integers(0, 2))
    def kill(self, w: int) -> None:
        self.workers.pop(w, None)

    @rule()
    def restart_everything(self) -> None:
        self.workers.clear()

    # ---- time and people --------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 40, 70, 300, 301, 900, 3599, 3601]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.rescue()

    def rescue(self) -> None:
        with self.db.begin() as session:
            outbox.rescue(session, now=self.now)
        for flight in self.flights.values():
            if flight.ended is None and self.now >= flight.began + LEASE:
                flight.ended = self.now

    @rule(cap=st.sampled_from(CAPS))
    def change_the_cap(self, cap: int) -> None:
        self.cap = cap
        with self.db.begin() as session:
            lane = session.get_one(Lane, self.lane_id)
            lane.per_hour, lane.opens_at = cap, self.now

    # ---- what must hold ---------------------------------------------------------------------------------------------

    def c15_nothing_leaves_outside_office_hours(self) -> None:
        local = self.now.astimezone(ZoneInfo(ZONE))
        assert self.hours == "always" or (1, 30) <= (local.hour, local.minute) < (18, 0)

    @invariant()
    def c14_no_sixty_minutes_hold_more_than_the_cap(self) -> None:
        self.no_span_holds_more_than(lambda cap: (cap, HOUR))

    @invariant()
    def no_portion_is_larger_than_its_share(self) -> None:
        self.no_span_holds_more_than(lambda cap: trickling(cap)[0])
        self.no_span_holds_more_than(lambda cap: trickling(cap)[1])

    def no_span_holds_more_than(self, window: Callable[[int], tuple[int, timedelta]]) -> None:
        """Wherever a span begins: as many reach into it as the cap bears under which the last of them was claimed."""
        flights = [f for f in getattr(self, "flights", {}).values() if not f.is_void]
        for place, last in enumerate(flights):  # in the order they began; the clock alone does not tell it
            most, span = window(last.cap)
            before = flights[: place + 1]
            assert sum(1 for f in before if f.ended is None or f.ended >= last.claimed - span) <= most
