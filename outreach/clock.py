"""The time that everything acts at: the database's, so that no machine's own clock decides anything."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from outreach.models import Database

#: A pages process asks this often; asking for each request would cost a signer a millisecond.
_EVERY = 10.0


class DatabaseClock:
    """The database's time, asked every ten seconds and carried on by the monotonic clock, which nobody can set.

    Threads may share it. OutOfReach when it has to ask and the database is away.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._asked: tuple[float, datetime] | None = None  # in one piece, or a thread would see half of it

    def __call__(self) -> datetime:
        asked = self._asked
        if asked is None or time.monotonic() - asked[0] > _EVERY:
            now = self._db.now()
            self._asked = asked = (time.monotonic(), now)
        return asked[1] + timedelta(seconds=time.monotonic() - asked[0])
