"""Ends processes that are there and stand still, so that the supervisor starts them anew.

A worker once connected may stop listening without ending: a half-open connection to Redis, a bug, a stopped process.
Its heartbeat row tells. Nobody is blamed while Redis itself is away, or for what the database cannot tell.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from outreach import embedded, heartbeats
from outreach.errors import OutreachError
from outreach.models import Database
from outreach.settings import Settings

#: Nobody is asked for a beat before this many seconds: a start takes its time on a busy machine.
GRACE = 60.0
_EVERY = 10.0
_BEATING = ("worker", "act", "beat")


class Watch:
    """Looks every ten seconds, from a thread of its own: a database that hangs must not hold up the supervisor."""

    def __init__(
        self, settings: Settings, running: Callable[[], Mapping[str, int]], *, say: Callable[[str], None]
    ) -> None:
        self._settings, self._running, self._say = settings, running, say
        self._redis_since: float | None = None
        self._seen_first: dict[int, float] = {}
        self._suspects: set[int] = set()
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """No further look. One that is under way may still end."""
        self._over.set()

    def _run(self) -> None:
        db = Database(self._settings.database, pool_size=1)
        try:
            while not self._over.wait(_EVERY):
                with suppress(OutreachError):
                    self.look(db, time.monotonic())
        finally:
            db.close()

    def look(self, db: Database, now: float) -> None:
        """End whoever has no fresh row at this look and had none at the one before. `now`: monotonic seconds.

        Twice, because after a machine has slept every row is old for a moment.
        """
        running = {name: pid for name, pid in self._running().items() if name in _BEATING}
        self._seen_first = {pid: self._seen_first.get(pid, now) for pid in running.values()}
        if not embedded.answers(self._settings):
            self._redis_since, self._suspects = None, set()
            return
        since = self._redis_since = now if self._redis_since is None else self._redis_since
        silent = {n: pid for n, pid in running.items() if now - max(self._seen_first[pid], since) > GRACE}
        if silent:
            fresh = _beating(db)
            silent = {name: pid for name, pid in silent.items() if pid not in fresh}
        for name, pid in silent.items():
            if pid in self._suspects and not self._over.is_set():
                self._say(f"{name} stands still and is started anew.")
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)  # it does not listen; its pool finishes what it has in the air
        self._suspects = set(silent.values())


def _beating(db: Database) -> set[int]:
    now = db.now()
    with db.read() as session:
        return {int(row.name.rpartition(":")[2]) for row in heartbeats.alive(session, now=now)}
