"""Visits to short links, gathered in this process and written together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import structlog

from outreach import signing
from outreach.errors import OutOfReach
from outreach.models import Database

log = structlog.get_logger()

#: Seconds between two writings. What a killed process had gathered since the last is not counted.
EVERY = 5.0
#: Codes gathered at most; further ones wait for nobody and are not counted.
_MOST = 10_000


class Visits:
    """Counts visits by code, for the threads of one application."""

    def __init__(self, db: Database, now: Callable[[], datetime], *, every: float = EVERY) -> None:
        self._db = db
        self._now = now
        self._every = every
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def note(self, code: str) -> None:
        """One visit more. It is written within a few seconds."""
        with self._lock:
            if code in self._seen or len(self._seen) < _MOST:
                self._seen[code] += 1
            if self._timer is None and self._every:
                self._timer = threading.Timer(self._every, self.write)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> None:
        """Write what was gathered. While the database is away the visits wait here."""
        with self._lock:
            seen, self._seen, timer, self._timer = self._seen, Counter(), self._timer, None
        if timer is not None:
            timer.cancel()
        if not seen:
            return
        try:
            with self._db.begin() as session:
                signing.count_visits(session, seen, now=self._now())
        except OutOfReach:
            log.warning("visits_not_written", codes=len(seen))
            with self._lock:
                self._seen.update(seen)
