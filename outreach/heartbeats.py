"""Who is alive. A process says so in the database every few seconds; a fresh row is the only proof that counts.

`python -m outreach.heartbeats worker` exits 0 if a process of that kind on this host has a fresh row: the health
check of a container.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from outreach import __version__
from outreach.errors import OutreachError
from outreach.models import Database, Heartbeat, insert_into
from outreach.settings import Settings

log = structlog.get_logger()

EVERY = timedelta(seconds=5)
#: After this long without a sign a process counts as gone.
FRESH = timedelta(seconds=30)


def name_of(kind: str, pid: int | None = None) -> str:
    """The name a process beats under: "worker:host:4711"."""
    return f"{kind}:{socket.gethostname()}:{os.getpid() if pid is None else pid}"


def beat(session: Session, name: str, *, kind: str, in_flight: int = 0, now: datetime) -> None:
    """Say that `name` is alive at `now`."""
    row = {"name": name, "kind": kind, "version": __version__, "seen_at": now, "in_flight": in_flight}
    session.execute(
        insert_into(session, Heartbeat)
        .values(**row, started_at=now)
        .on_conflict_do_update(index_elements=["name"], set_={k: v for k, v in row.items() if k != "name"})
    )


def alive(session: Session, *, kind: str | None = None, now: datetime) -> list[Heartbeat]:
    """The processes that were seen within FRESH, by name."""
    fresh = select(Heartbeat).where(Heartbeat.seen_at > now - FRESH).order_by(Heartbeat.name)
    return list(session.scalars(fresh.where(Heartbeat.kind == kind) if kind else fresh))


def forget(session: Session, *, before: datetime) -> int:
    """Delete the rows of processes not seen since `before`; how many."""
    return session.execute(delete(Heartbeat).where(Heartbeat.seen_at < before)).rowcount  # type: ignore[attr-defined,no-any-return]


class Pulse:
    """Beats for this process from a thread of its own, until stopped.

    `steady` is asked before each beat: False keeps silent, so that a process that stands still looks like one. `it_is`
    is told the database's time at each beat.
    """

    def __init__(
        self,
        db: Database,
        kind: str,
        *,
        name: str = "",
        steady: Callable[[], bool] = lambda: True,
        in_flight: Callable[[], int] = lambda: 0,
        it_is: Callable[[datetime], None] = lambda _now: None,
        every: timedelta = EVERY,
    ) -> None:
        self._db, self._kind, self._name = db, kind, name or name_of(kind)
        self._steady, self._in_flight, self._it_is, self._every = steady, in_flight, it_is, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; its database may be closed afterwards."""
        self._over.set()
        self._thread.join(5)

    def _run(self) -> None:
        missed = False
        while not self._over.is_set():
            if not self._steady():
                self._over.wait(0.25)  # it may only just be starting
                continue
            try:
                now = self._db.now()
                self._it_is(now)
                with self._db.begin() as session:
                    beat(session, self._name, kind=self._kind, in_flight=self._in_flight(), now=now)
                missed = False
            except Exception as error:  # whatever it is, the next beat may get through
                if not missed:
                    log.warning("heartbeat_missed", process=self._name, error=type(error).__name__)
                missed = True
            self._over.wait(self._every.total_seconds())


def main(kind: str) -> int:
    """0 if a process of this kind on this host is alive, else 1."""
    db = Database(Settings.from_env().database)
    try:
        now = db.now()
        with db.read() as session:
            ours = [
                h for h in alive(session, kind=kind, now=now) if h.name.startswith(f"{kind}:{socket.gethostname()}:")
            ]
    except OutreachError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        db.close()
    sys.stderr.write(
        "" if ours else f"no {kind} on this host was seen since {datetime.now(UTC) - FRESH:%H:%M:%S} UTC\n"
    )
    return 0 if ours else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else "worker"))
