"""One trial: letters in the outbox, a far side in a process of its own, and an engine to which something happens.

with trial(tmp_path, database_url) as it:
    worker = it.engine.start_worker(faultpoints="after_accept:5=kill_group")
    it.ring()
    it.await_end(worker)
    …
    it.finish()                     # another worker does the rest; rescued as the timetable would
    it.judge(most_in_doubt=8)       # books against ledger, before and after the provider's reports
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach import outbox
from outreach.audit import audit
from outreach.domain.deliveries import MailClass, State, Stream
from tests.bench import scene
from tests.chaos.auditor import Verdict, copies_in, judge, read_books
from tests.fakes.events import EventKey
from tests.journeys.engine import Engine, Provider, provider_process, report_all, running, sendgrid_settings

#: Few letters, small rounds and the shortest lease there may be: a trial takes seconds.
LETTERS, BATCH, HANDOVERS, POOL = 80, 20, 4, 2
_SHORT = {
    "handovers": str(HANDOVERS),
    "batch": str(BATCH),
    "lease_seconds": "5",
    "provider_timeout": "1.5",
    "retry_base_seconds": "0.2",
}


@dataclass
class Trial:
    """An engine with `letters` letters to send, and the provider that takes them."""

    engine: Engine
    provider: Provider
    letters: int
    key: EventKey
    _rung_at: float = 0.0

    # ---- doing -----------------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """The doorbell, once for each pool process of a worker."""
        self.engine.ring(*[Stream.LETTERS] * POOL)
        self._rung_at = time.monotonic()

    def keep_going(self) -> None:
        """Now and then what the timetable does in an engine with a beat: rescue, and ring."""
        if time.monotonic() > self._rung_at + 0.5:
            now = self.engine.db.now()
            with self.engine.db.begin() as session:
                outbox.rescue(session, now=now)
            self.ring()

    def finish(self, *, start: bool = True) -> None:
        """Everything that can leave leaves; `start` a worker for it first."""
        if start:
            self.engine.start_worker(concurrency=POOL)
        self.until_at_rest()

    def until_at_rest(self) -> None:
        def is_at_rest() -> bool:
            self.keep_going()
            return self.engine.at_rest()

        self.engine.until(is_at_rest, "everything left that can leave")

    def report(self, **more: Any) -> None:
        """The provider's reports about everything it took, doubled and out of order."""
        report_all(self.engine, self.key, self.provider.taken(), **more)

    # ---- looking ---------------------------------------------------------------------------------------------------

    def await_letters(self, enough: int) -> None:
        self.engine.until(lambda: len(self.provider.taken()) >= enough, f"{enough} letters arrive")

    def await_end(self, process: subprocess.Popen[bytes]) -> None:
        """Return once a process has died of its faultpoint."""
        self.engine.until(lambda: process.poll() is not None, "it dies at its faultpoint")
        assert process.returncode == -signal.SIGKILL

    def ended(self) -> list[subprocess.Popen[bytes]]:
        """The processes of the engine that are no more."""
        return [process for process in self.engine.processes if process.poll() is not None]

    def await_stopped(self, worker: subprocess.Popen[bytes], number: int = 1) -> list[int]:
        """The pool processes of a worker that a faultpoint has stopped, once there are `number` of them."""
        stopped: list[int] = []

        def are_stopped() -> bool:
            stopped[:] = [pid for pid in children(worker.pid) if is_stopped(pid)]
            return len(stopped) >= number

        self.engine.until(are_stopped, "it stands still at its faultpoint")
        return stopped

    def states(self) -> dict[str, int]:
        """How many letters are in which state."""
        return {str(state): n for state, n in self.engine.states(MailClass.LETTER).items() if n}

    # ---- judging ---------------------------------------------------------------------------------------------------

    def verdict(self, may_end: Collection[State] = (State.ACCEPTED, State.IN_DOUBT)) -> Verdict:
        with self.engine.db.read() as session:
            books = read_books(session)
        return judge(books, copies_in(self.provider.taken()), may_end=may_end)

    def judge(self, *, most_in_doubt: int, may_end: Collection[State] = (State.ACCEPTED, State.IN_DOUBT)) -> Verdict:
        """Nothing is wrong before the reports come nor after; afterwards only what never arrived is in doubt.

        Returns what was so before the reports.
        """
        before = self.verdict(may_end)
        assert before.is_clean, (before, self.states())
        assert before.letters == self.letters
        assert len(before.in_doubt) <= most_in_doubt
        self._audit()
        self.report()
        after = self.verdict(may_end)
        assert after.is_clean, (after, self.states())
        assert after.in_doubt == before.in_doubt - before.in_doubt_arrived
        self._audit()
        return before

    def _audit(self) -> None:
        with self.engine.db.read() as session:
            problems = audit(session, self.engine.settings).problems
        assert problems == [], problems[:5]


def children(pid: int) -> list[int]:
    """The processes that `pid` has started, as they are now."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_stopped(pid: int) -> bool:
    """Whether a process was told SIGSTOP."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return False


def let_go(*pids: int) -> None:
    """SIGCONT."""
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def trial(
    folder: Path,
    database_url: str,
    *,
    letters: int = LETTERS,
    targets: int = 4,
    faults: str = "delay=0.01",
    redis_url: str | None = None,
    beats: int = 0,
    workers: int = 0,
    **more: str,
) -> Iterator[Trial]:
    """Letters to `targets` mailboxes, a fake SendGrid, and an engine; `more` are settings by name."""
    key = EventKey.kept(folder / "events.pem")
    with ExitStack() as stack:
        words = ("--key", str(folder / "events.pem"), "--faults", faults)
        provider = stack.enter_context(provider_process("sendgrid", folder, *words))
        settings: dict[str, Any] = {**_SHORT, "sendgrid_event_keys": key.public, **more}
        settings = sendgrid_settings(provider, **settings)
        engine = stack.enter_context(
            running(folder, database_url, redis_url=redis_url, beat=False, workers=0, **settings)
        )
        scene.fill(engine.db, engine.keys, letters=letters, targets=targets, now=engine.now())
        for _ in range(beats):
            engine.start_beat()
        for _ in range(workers):
            engine.start_worker(concurrency=POOL)
        yield Trial(engine, provider, letters, key)


def until(true: Callable[[], object], trial_: Trial, what: str) -> None:
    """The same as `Engine.until`, with rescue and doorbell meanwhile."""

    def looked() -> object:
        trial_.keep_going()
        return true()

    trial_.engine.until(looked, what)
