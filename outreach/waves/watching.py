"""A wave that is under way, looked at every few seconds: may it go on, may it go faster, is it over?"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from outreach.alerts import close_alert, raise_alert
from outreach.domain.deliveries import State, Stream
from outreach.domain.waves import NEXT, Phase, Tally, WaveKind, WaveState, next_phase
from outreach.models import Alert, Minute, ProviderState, Wave
from outreach.outbox.releasing import wave_states
from outreach.settings import Settings

from . import starting
from .tallying import tally

#: How long a phase waits for the provider's reports, and the share of them that is enough.
PATIENCE = timedelta(minutes=15)
_ENOUGH = 0.8
#: A provider that takes nothing for so long stops the waves that go by it.
DEAD_AFTER = timedelta(minutes=15)
_MOVING = (State.QUEUED, State.CLAIMED, State.SENDING)


def watch(session: Session, wave: Wave, *, settings: Settings, now: datetime) -> bool:
    """Look at a locked wave that is sending, or left with mails that only people or reports can settle.

    Pauses it, lets it into its next phase, or ends it. True when more of it may leave than before.
    """
    if wave.state is WaveState.SENDING and _pause(session, wave, settings, now):
        return False
    if _end(session, wave, now):
        return False
    return wave.state is WaveState.SENDING and _let_grow(session, wave, settings, now)


def _pause(session: Session, wave: Wave, settings: Settings, now: datetime) -> bool:
    reason = tally(session, wave).since(wave.forgiven or {}).verdict(wave.phase)
    reason = reason or _provider_is_dead(session, wave, settings, now)
    if not reason:
        return False
    starting.stop(session, wave, reason=reason, now=now, actor="engine")
    raise_alert(session, starting.scope(wave), f"Wave {wave.id} was paused: {reason}", now=now)
    return True


def _provider_is_dead(session: Session, wave: Wave, settings: Settings, now: datetime) -> str:
    """A sentence when the way out has been closed for a quarter of an hour and no other takes this stream's mail."""
    door = session.get(ProviderState, settings.transport, populate_existing=True)
    if door is None or not door.strikes:
        return ""
    told = select(Alert.opened_at).where(Alert.key == f"transport:{door.transport}", Alert.closed_at.is_(None))
    since = session.scalar(told)
    if since is None or now - since <= DEAD_AFTER:
        return ""
    stream = Stream.NEWS if wave.kind is WaveKind.MAILING else Stream.LETTERS
    taken = exists().where(Minute.minute > now - DEAD_AFTER, Minute.stream == stream, Minute.outcome == "accepted")
    if session.scalar(select(taken)):
        return ""
    return f"Nothing leaves by {door.transport} for more than {DEAD_AFTER.seconds // 60} minutes: {door.reason}"


def _let_grow(session: Session, wave: Wave, settings: Settings, now: datetime) -> bool:
    """Into the next phase, once the mails of this one have been reported on, or long enough were not."""
    if wave.phase is Phase.FULL or wave.phase_limit is None:
        return False
    seen = tally(session, wave)
    if seen.left < wave.phase_limit:
        return False
    if wave.phase_at is None:
        wave.phase_at = now
    if not _was_looked_at(seen, wave.phase_at, settings, now):
        return False
    wave.phase, wave.phase_limit = next_phase(wave.phase, wave.canary)
    wave.phase_at = None
    session.flush()
    return True


def _was_looked_at(seen: Tally, since: datetime, settings: Settings, now: datetime) -> bool:
    reports = settings.transport == "sendgrid" and bool(settings.sendgrid_event_keys)
    if not reports:  # its answers are all there will be
        return True
    return seen.reported >= seen.accepted * _ENOUGH or now - since >= PATIENCE


def _end(session: Session, wave: Wave, now: datetime) -> bool:
    """Finished when nothing of it is open; for a person when only such mails are left that a person has to settle."""
    if wave.planned_at is None:
        return False
    states = wave_states(session, wave)
    if any(states[state] for state in _MOVING):
        if wave.state is WaveState.NEEDS_ATTENTION:
            starting.move(session, wave, WaveState.SENDING, now=now)
            close_alert(session, starting.scope(wave), now=now)
        return False
    open_ = states[State.IN_DOUBT] + states[State.HELD]
    if not open_:
        starting.end(session, wave, now=now)
        return True
    reason = _left_over(states[State.IN_DOUBT], states[State.HELD])
    if wave.state is WaveState.SENDING:
        starting.move(session, wave, WaveState.NEEDS_ATTENTION, reason=reason, now=now)
        raise_alert(session, starting.scope(wave), f"Wave {wave.id}: {reason}", now=now)
    elif wave.reason != reason:
        wave.reason = reason
    return True


def _left_over(in_doubt: int, held: int) -> str:
    parts = []
    if in_doubt:
        parts.append(f"{in_doubt:,} in doubt: they may have left, and nobody has said so")
    if held:
        parts.append(f"{held:,} held")
    return f"All the others are done; {'; '.join(parts)}."


def miss(session: Session, wave: Wave, *, now: datetime) -> bool:
    """Whether its time passed too long ago to begin by itself; then it waits for a person, who is told."""
    if wave.go_at is None or now - wave.go_at <= timedelta(seconds=wave.max_late_seconds):
        return False
    reason = (
        f"missed: it should have begun at {wave.go_at:%Y-%m-%d %H:%M} UTC, and the engine was not running. "
        "Start it again, or cancel it."
    )
    if WaveState.NEEDS_ATTENTION in NEXT[wave.state]:
        starting.move(session, wave, WaveState.NEEDS_ATTENTION, reason=reason, now=now)
        raise_alert(session, starting.scope(wave), f"Wave {wave.id}: {reason}", now=now)
    return True
