"""The chore that ends what staff said to end, and takes back what they took back. As often as anybody likes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select

from outreach.models import Database, Invalidation

from .invalidating import CHUNK, end_chunk, undo_chunk, unfinished

log = structlog.get_logger()

#: A run works this long at a stretch; then it says that there is more.
_STRETCH = 20.0


@dataclass
class Carried:
    """What a run came to. `came_back`: mails may leave that could not before."""

    ended: int = 0
    undone: int = 0
    more: bool = False

    @property
    def came_back(self) -> bool:
        return self.undone > 0


def carry_on(db: Database, *, now: datetime, goes_on: Callable[[], bool] = lambda: True, chunk: int = CHUNK) -> Carried:
    """Carry on every invalidation that is not finished. Harmless at any time, twice, or by two at once."""
    done, begun = Carried(), time.monotonic()
    with db.read() as session:
        ids = session.scalars(select(Invalidation.id).where(unfinished()).order_by(Invalidation.id)).all()
    for id_ in ids:
        while _step(db, id_, done, now=now, chunk=chunk):
            if not goes_on() or time.monotonic() - begun > _STRETCH:
                done.more = True
                return done
    return done


def _step(db: Database, invalidation_id: int, done: Carried, *, now: datetime, chunk: int) -> bool:
    """One chunk in a transaction of its own; True when there may be another."""
    with db.begin() as session:
        mine = select(Invalidation).where(Invalidation.id == invalidation_id, unfinished())
        invalidation = session.scalar(mine.with_for_update(skip_locked=True, key_share=True))
        if invalidation is None:  # finished, or in another worker's hands
            return False
        if invalidation.undone_by:
            n = undo_chunk(session, invalidation, now=now, chunk=chunk)
            done.undone += n
        else:
            n = end_chunk(session, invalidation, now=now, chunk=chunk)
            done.ended += n
        log.info("invalidation_carried_on", invalidation=invalidation_id, undoing=bool(invalidation.undone_by), n=n)
        return n > 0
