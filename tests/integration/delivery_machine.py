"""The delivery ledger under a random adversary: the real outbox, feedback and hands on a real SQLite file.

Workers claim, intend, hand over and settle, and may die between any two of these. The provider accepts, refuses,
hangs before or after it took the mail. Reports come doubled, late and out of order. People unsubscribe, cancel,
resend. Only the provider and the clock are played; every row is written by the code that runs in production.

`delivery_mutants.py` switches one protection off at a time; `test_delivery_machine.py` shows that each is caught.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import func, select

from outreach import feedback, outbox
from outreach.domain import deliveries as states
from outreach.domain.deliveries import ENDED, NEXT, RANK, MailClass, State, Stream
from outreach.domain.events import STATES, Event, EventKind
from outreach.domain.messages import Mailbox, Message
from outreach.errors import NotNow
from outreach.migrating import migrate
from outreach.models import (
    Anomaly,
    Attempt,
    Counter,
    Database,
    Delivery,
    LogEntry,
    Supporter,
    Wave,
    WaveKind,
    WaveState,
    new_ref,
)
from outreach.outbox import Answer, Books, Claim, Going, enqueue
from outreach.sending.hands import Hands
from outreach.suppression import suppress
from outreach.transports.base import NoAnswer, Receipt, Refused, Unavailable
from tests import factories
from tests.integration.delivery_mutants import mutated

LEASE = 60
ANSWERS_WITHIN = 20  #: seconds a provider has to answer
WINDOW = 86_400  #: how long a doubt lasts before a resend may be authorised
OUTCOMES = ("ok", "429", "500", "400", "late_taken", "late_not", "reset_taken", "reset_not")
BEGINNING = datetime(2026, 3, 2, 12, tzinfo=UTC)
FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None


@cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="outreach-machine-", dir=FOLDER)) / "template.db"
    db = Database(f"sqlite:///{path}")
    migrate(db)
    with db.begin() as session:
        campaign = factories.campaign(session, targets=1)
        for number in range(2):
            factories.wave(
                session, campaign, kind=WaveKind.MAILING, state=WaveState.SENDING, name=f"w{number}", now=BEGINNING
            )
        for number in range(3):
            reader = factories.supporter(session, address=f"a{number}@example.org")
            factories.consent(session, reader, campaign=campaign, purpose="updates", now=BEGINNING)
    db.close()  # the last connection writes the log back into the file
    return path


@dataclass
class Provider:
    """Takes mails, and remembers each one. What it answers is told beforehand."""

    machine: Any
    outcome: str = "ok"
    seconds: int = 1
    name: str = "played"

    def send(self, message: Message) -> Receipt:
        machine, did = self.machine, self.machine.by_ref[message.delivery]
        machine.requests[did] += 1
        machine.t += ANSWERS_WITHIN if self.outcome.startswith("late") else self.seconds
        if self.outcome in ("ok", "late_taken", "reset_taken"):
            machine.provider_takes(did, message)
        if self.outcome == "ok":
            return Receipt(f"p{did}")
        if self.outcome == "400":
            raise Refused("400 bad request")
        if self.outcome in ("429", "500"):
            raise Unavailable(self.outcome, retry_after=timedelta(seconds=30))
        raise NoAnswer(self.outcome)

    def close(self) -> None:
        pass


@dataclass
class Worker:
    """What one worker process has in its memory: gone when it is killed."""

    held: Claim
    did: int
    going: Going | None = None
    deadline: float = 0
    answers: list[Answer] = field(default_factory=list)
    phase: str = "claimed"


class Machine(RuleBasedStateMachine):
    """One outbox, three workers, two waves, three people."""

    mutant = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outreach-machine-", dir=FOLDER))
        shutil.copy(_template(), self.folder / "machine.db")
        self.db = Database(f"sqlite:///{self.folder}/machine.db")
        self._mutation = mutated(self.mutant, self)
        self._mutation.__enter__()
        self.t = 0
        self.workers: dict[int, Worker] = {}
        self.by_ref: dict[str, int] = {}
        self.taken: Tally[int] = Tally()
        self.requests: Tally[int] = Tally()
        self.epochs: Tally[tuple[int, int]] = Tally()
        self.sent_at: dict[int, list[int]] = {}
        self.reports: list[tuple[str, int, EventKind, int]] = []
        self.seen: set[str] = set()
        self.unsubscribed: dict[str, int] = {}
        self.provider = Provider(self)
        self.hands = Hands(self.provider, width=1)
        self.build_wave(0, 2)

    @property
    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.t)

    def provider_takes(self, did: int, message: Message) -> None:
        self.taken[did] += 1
        with self.db.read() as session:
            resends = session.execute(select(Delivery.resends).where(Delivery.id == did)).scalar_one()
        self.epochs[did, resends] += 1
        self.sent_at.setdefault(did, []).append(self.t)
        for kind in (EventKind.PROCESSED, EventKind.DELIVERED):
            self.reports.append((f"{did}/{self.taken[did]}/{kind}", did, kind, message.attempt))

    # ---- planning -------------------------------------------------------------------------------------------

    @rule(wave=st.integers(0, 1), n=st.integers(1, 3))
    def build_wave(self, wave: int, n: int) -> None:
        """Planning the same wave again makes nothing new."""
        with self.db.begin() as session, Books(session, now=self.now) as books:
            waves = session.scalars(select(Wave).where(Wave.kind == WaveKind.MAILING).order_by(Wave.id)).all()
            people = session.scalars(select(Supporter).order_by(Supporter.id)).all()
            lane_id = enqueue.stream_lane(session, Stream.NEWS, now=BEGINNING)
            rows = [
                enqueue._row(
                    ref=new_ref(),
                    mail_class=MailClass.MAILING,
                    stream=Stream.NEWS,
                    state=State.QUEUED,
                    campaign_id=waves[wave].campaign_id,
                    wave_id=waves[wave].id,
                    supporter_id=person.id,
                    address_hash=person.address_hash,
                    lane_id=lane_id,
                    created_at=self.now,
                    due_at=self.now,
                )
                for person in people[:n]
            ]
            books.add(rows)
        with self.db.read() as session:
            self.by_ref = dict(session.execute(select(Delivery.ref, Delivery.id)).all())

    # ---- a worker's four steps: it may die between any two -----------------------------------------------------

    @rule(w=st.integers(0, 2))
    def claim(self, w: int) -> None:
        if w in self.workers:
            return
        with self.db.begin() as session:
            held = outbox.claim(
                session, Stream.NEWS, transport="played", now=self.now, limit=1, lease=timedelta(seconds=LEASE)
            )
        if held is not None:
            self.workers[w] = Worker(held, held.ids[0])

    @rule(w=st.integers(0, 2))
    def intend(self, w: int) -> None:
        worker = self.workers.get(w)
        if worker is None or worker.phase != "claimed":
            return
        worker.deadline = self.t + LEASE - ANSWERS_WITHIN
        with self.db.begin() as session, Books(session, now=self.now) as books:
            going = outbox.intend(
                session,
                worker.held,
                [worker.did],
                transport="played",
                now=self.now,
                lease=timedelta(seconds=LEASE),
                books=books,
            )
        if going:
            worker.going, worker.phase = going[0], "sending"
        else:
            del self.workers[w]

    @rule(w=st.integers(0, 2), outcome=st.sampled_from(OUTCOMES), seconds=st.integers(0, ANSWERS_WITHIN))
    def hand_over(self, w: int, outcome: str, seconds: int) -> None:
        worker = self.workers.get(w)
        if worker is None or worker.phase != "sending" or worker.going is None:
            return
        self.provider.outcome, self.provider.seconds = outcome, seconds
        ref = next(ref for ref, id_ in self.by_ref.items() if id_ == worker.did)
        message = _message(ref, worker.going.attempt)
        with mock.patch("outreach.sending.hands.time.monotonic", side_effect=lambda: self.t):
            worker.answers = self.hands.hand_over([(worker.going, message)], deadline=worker.deadline)
        worker.phase = "answered"

    @rule(w=st.integers(0, 2))
    def settle(self, w: int) -> None:
        worker = self.workers.get(w)
        if worker is None or worker.phase != "answered":
            return
        del self.workers[w]
        with self.db.begin() as session, Books(session, now=self.now) as books:
            outbox.settle(
                session,
                worker.held,
                worker.answers,
                transport="played",
                now=self.now,
                retry_base=timedelta(seconds=30),
                books=books,
            )

    @rule(w=st.integers(0, 2), outcome=st.sampled_from(OUTCOMES), cut=st.integers(1, 4), kill=st.booleans())
    def attempt(self, w: int, outcome: str, cut: int, kill: bool) -> None:
        """The four steps in a row, cut anywhere: helps the search to go deep."""
        steps: list[Callable[[], None]] = [
            lambda: self.claim(w),
            lambda: self.intend(w),
            lambda: self.hand_over(w, outcome, 1),
            lambda: self.settle(w),
        ]
        for step in steps[:cut]:
            step()
        if kill:
            self.kill(w)

    @rule(w=st.integers(0, 2))
    def kill(self, w: int) -> None:
        self.workers.pop(w, None)

    # ---- time, chores, reports, people -------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 10, 45, 61, 3600, WINDOW]))
    def tick(self, seconds: int) -> None:
        self.t += seconds

    @rule()
    def rescue(self) -> None:
        with self.db.begin() as session:
            outbox.rescue(session, now=self.now)

    @rule()
    def lease_out_and_rescue(self) -> None:
        self.t += LEASE + 31
        self.rescue()

    @precondition(lambda self: self.reports)
    @rule(data=st.data())
    def report(self, data: Any) -> None:
        """Any report, in any order, any number of times."""
        self.apply(data.draw(st.sampled_from(self.reports)))

    def apply(self, report: tuple[str, int, EventKind, int]) -> None:
        id_, did, kind, attempt = report
        ref = next(ref for ref, i in self.by_ref.items() if i == did)
        with self.db.begin() as session:
            applied = feedback.apply(
                session, [Event(id_, kind, self.now, ref, attempt, "test")], env="test", now=self.now
            )
        assert applied.new == (id_ not in self.seen), "a report counts once"
        self.seen.add(id_)

    @rule(did=st.integers(1, 6), resend=st.booleans())
    def resolve(self, did: int, resend: bool) -> None:
        """Staff settle a doubt, once its window is over."""
        row = self.rows().get(did)
        if row is None or row.state is not State.IN_DOUBT or self.now - row.doubt_since < timedelta(seconds=WINDOW):
            return
        with self.db.begin() as session:
            if resend:
                outbox.resend(session, row.ref, actor="user:1", now=self.now)
            else:
                outbox.cancel(session, row.ref, reason="staff", actor="user:1", now=self.now)

    @rule(did=st.integers(1, 6))
    def window_out_and_resend(self, did: int) -> None:
        self.t += WINDOW
        self.resolve(did, True)

    @rule(i=st.integers(0, 2))
    def unsubscribe(self, i: int) -> None:
        with self.db.begin() as session:
            person = session.scalars(select(Supporter).order_by(Supporter.id)).all()[i]
            suppress(session, person.address_hash, scope="news", reason="unsubscribed", now=self.now)
        self.unsubscribed.setdefault(person.address_hash, self.t)

    @rule(did=st.integers(1, 6))
    def cancel(self, did: int) -> None:
        row = self.rows().get(did)
        if row is None or row.state is State.IN_DOUBT:
            return
        try:
            with self.db.begin() as session:
                outbox.cancel(session, row.ref, reason="staff", actor="user:1", now=self.now)
        except NotNow:
            assert row.state not in states.UNSENT

    # ---- what must hold after every step ------------------------------------------------------------------------

    def rows(self) -> dict[int, Delivery]:
        with self.db.read() as session:
            return {row.id: row for row in session.scalars(select(Delivery)).all()}

    @invariant()
    def everything_holds(self) -> None:
        rows = self.rows()
        self.one_copy_and_the_authorised_resends(rows)
        self.one_row_for_each_wave_and_person(rows)
        self.accepted_is_true_and_sent_is_admitted(rows)
        self.every_request_has_a_committed_attempt(rows)
        self.counters_equal_a_recount(rows)
        self.the_log_tells_the_whole_story(rows)
        self.reports_never_regress(rows)
        self.no_new_mail_after_unsubscribing(rows)

    def one_copy_and_the_authorised_resends(self, rows: dict[int, Delivery]) -> None:
        for row in rows.values():
            assert self.taken[row.id] <= 1 + row.resends, (row.id, self.taken[row.id], row.resends)
        assert all(n <= 1 for n in self.epochs.values()), self.epochs

    def one_row_for_each_wave_and_person(self, rows: dict[int, Delivery]) -> None:
        assert len({(row.wave_id, row.supporter_id) for row in rows.values()}) == len(rows)

    def accepted_is_true_and_sent_is_admitted(self, rows: dict[int, Delivery]) -> None:
        with self.db.read() as session:
            odd = set(session.scalars(select(Anomaly.delivery_id)))
        in_hands = {worker.did for worker in self.workers.values()}
        for row in rows.values():
            if row.state is State.ACCEPTED:
                assert self.taken[row.id], row.id
            if self.taken[row.id] and row.state in (State.REJECTED, State.DEAD, State.SUPPRESSED, State.CANCELLED):
                assert row.maybe_sent or row.id in odd or row.id in in_hands, (row.id, row.state)

    def every_request_has_a_committed_attempt(self, rows: dict[int, Delivery]) -> None:
        with self.db.read() as session:
            attempts = dict(
                session.execute(select(Attempt.delivery_id, func.count()).group_by(Attempt.delivery_id)).all()
            )
        for row in rows.values():
            assert self.requests[row.id] <= attempts.get(row.id, 0)

    def counters_equal_a_recount(self, rows: dict[int, Delivery]) -> None:
        with self.db.read() as session:
            kept = {
                (wave, state): n
                for wave, state, n in session.execute(
                    select(Counter.wave_id, Counter.state, func.sum(Counter.n)).group_by(Counter.wave_id, Counter.state)
                )
                if n
            }
        assert kept == Tally((row.wave_id, row.state) for row in rows.values())

    def the_log_tells_the_whole_story(self, rows: dict[int, Delivery]) -> None:
        with self.db.read() as session:
            log = session.execute(
                select(LogEntry.delivery_id, LogEntry.from_state, LogEntry.to_state).order_by(LogEntry.id)
            ).all()
        at: dict[int, State | None] = {}
        for did, before, after in log:
            assert at.get(did) == before, "a move the log does not know"
            assert before is None or after in NEXT[before]
            at[did] = after
        assert at == {row.id: row.state for row in rows.values()}

    def reports_never_regress(self, rows: dict[int, Delivery]) -> None:
        for row in rows.values():
            ranks = [RANK[STATES[kind]] for id_, did, kind, _ in self.reports if did == row.id and id_ in self.seen]
            assert RANK[row.event_state] == max(ranks, default=0)

    def no_new_mail_after_unsubscribing(self, rows: dict[int, Delivery]) -> None:
        for row in rows.values():
            since = self.unsubscribed.get(row.address_hash or "")
            for at in self.sent_at.get(row.id, []):
                assert since is None or at <= since + LEASE + ANSWERS_WITHIN

    # ---- the end: faults stop, time passes, nothing is stuck or lost ---------------------------------------------

    def teardown(self) -> None:
        try:
            self.run_dry()
        finally:
            self._mutation.__exit__(None, None, None)
            self.hands.close()
            self.db.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def run_dry(self) -> None:
        self.workers.clear()
        for _ in range(states.MAX_ATTEMPTS + 3):
            self.lease_out_and_rescue()
            self.t += 4001
            for _ in range(len(self.by_ref)):
                self.attempt(0, "ok", 4, False)
        for row in self.rows().values():
            assert row.state in (*ENDED, State.IN_DOUBT), (row.id, row.state)
        for report in list(self.reports):
            if report[0] not in self.seen:
                self.apply(report)
        for row in self.rows().values():
            if row.state in (State.IN_DOUBT, State.GIVEN_UP):
                assert self.taken[row.id] == 0
        self.everything_holds()


def _message(ref: str, attempt: int) -> Message:
    box = Mailbox("A Person", "a@example.org")
    return Message(
        ref, attempt, MailClass.MAILING, Stream.NEWS, box, box, None, "s", "t", "<p>t</p>", "<m@example.org>", BEGINNING
    )
