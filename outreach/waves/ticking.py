"""The chore that carries every wave on: begins it at its time, plans it, watches it, tidies up after it.

Run every few seconds and after each start, by as many workers as like to: each wave is locked while it is looked at,
and whoever finds it locked passes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import Stream
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import Brake, Database, Wave
from outreach.settings import Settings

from . import starting, watching
from .building import CHUNK, build_chunk

log = structlog.get_logger()

#: A tick works this long at a stretch; then it says that there is more.
_STRETCH = 20.0
_UNDER_WAY = (WaveState.SENDING, WaveState.NEEDS_ATTENTION)


@dataclass
class Ticked:
    """What a tick came to: the streams in which more may leave now, and whether there is more to do at once."""

    streams: set[Stream] = field(default_factory=set)
    planned: int = 0
    more: bool = False


def tick(
    db: Database,
    *,
    settings: Settings,
    now: datetime,
    goes_on: Callable[[], bool] = lambda: True,
    chunk: int = CHUNK,
) -> Ticked:
    """Carry on every wave that is not at rest. Harmless at any time, twice, or by two at once.

    `chunk` is how much of a wave is planned in one transaction.
    """
    done, begun = Ticked(), time.monotonic()
    with db.read() as session:
        ids = _not_at_rest(session, now)
    for wave_id in ids:
        more = True
        while more:
            if not goes_on() or time.monotonic() - begun > _STRETCH:
                done.more = True
                return done
            more = _carry_on(db, wave_id, done, settings=settings, now=now, chunk=chunk)
    return done


def _not_at_rest(session: Session, now: datetime) -> Sequence[int]:
    braked = session.scalars(select(Brake.scope).where(Brake.scope.startswith("wave:"), Brake.lifted_at.is_(None)))
    awake = or_(
        and_(Wave.state.in_([WaveState.STARTING, WaveState.SCHEDULED]), Wave.go_at <= now),
        Wave.state.in_(_UNDER_WAY),
        # The brake of a cancelled wave stays pulled until all of it is tidied up.
        and_(Wave.state == WaveState.CANCELLED, Wave.id.in_([int(s.removeprefix("wave:")) for s in braked])),
    )
    return session.scalars(select(Wave.id).where(awake, ~Wave.is_standing).order_by(Wave.id)).all()


def _carry_on(db: Database, wave_id: int, done: Ticked, *, settings: Settings, now: datetime, chunk: int) -> bool:
    """One step of one wave in a transaction of its own; True when it wants another one at once."""
    with db.begin() as session:
        free = select(Wave).where(Wave.id == wave_id).with_for_update(skip_locked=True, key_share=True)
        wave = session.scalar(free)
        if wave is None:  # another worker has it
            return False
        return _step(session, wave, done, settings=settings, now=now, chunk=chunk)


def _step(session: Session, wave: Wave, done: Ticked, *, settings: Settings, now: datetime, chunk: int) -> bool:
    if wave.state in (WaveState.STARTING, WaveState.SCHEDULED):
        if wave.go_at is None or wave.go_at > now or watching.miss(session, wave, now=now):
            return False
        starting.begin(session, wave, now=now)
        log.info("wave_begun", wave=wave.id)
        return True
    if wave.state is WaveState.CANCELLED:
        return starting.clear(session, wave, now=now) == starting.CHUNK
    if wave.state not in _UNDER_WAY or wave.started_at is None:
        return False
    if wave.state is WaveState.SENDING and wave.planned_at is None:
        made = build_chunk(session, wave, settings=settings, now=now, chunk=chunk)
        done.planned += made
        if made:
            done.streams.add(stream_of(wave))
        log.info("wave_planned", wave=wave.id, made=made, complete=wave.planned_at is not None)
        if wave.planned_at is None:
            return True
    if watching.watch(session, wave, settings=settings, now=now):
        done.streams.add(stream_of(wave))
    return False


def tidy(db: Database, wave_id: int, *, now: datetime) -> None:
    """Call off all that is left of a cancelled wave, where nobody waits for the chore to do it."""
    done = starting.CHUNK
    while done == starting.CHUNK:
        with db.begin() as session:
            wave = starting.locked(session, wave_id)
            done = starting.clear(session, wave, now=now) if wave.state is WaveState.CANCELLED else 0


def stream_of(wave: Wave) -> Stream:
    """The stream its deliveries leave by."""
    return Stream.NEWS if wave.kind is WaveKind.MAILING else Stream.LETTERS
