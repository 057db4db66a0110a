"""Two transactions at once, in an order that is certain: the second begins while the first is still open."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.models import Database

T = TypeVar("T")
_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def behind(db: Database, first: Callable[[Session], object], second: Callable[[Session], T]) -> T:
    """What `second` answers, or raises, when `first` has done its work and commits only now.

    On PostgreSQL `first` commits once `second` waits for it, or is done without; on SQLite one writer waits anyway.
    """
    began = Event()

    def late() -> T:
        began.set()
        with db.begin() as session:
            return second(session)

    with ThreadPoolExecutor(1) as pool:
        with db.begin() as session:
            first(session)
            session.flush()
            running = pool.submit(late)
            assert began.wait(20)
            while not (db.is_sqlite or running.done() or _is_waiting(db, running)):
                pass
        return running.result(30)


def _is_waiting(db: Database, running: Future[T]) -> bool:
    wait([running], timeout=0.02)
    with db.read() as session:
        return bool(session.scalar(_WAITING))
