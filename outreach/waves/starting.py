"""The moves that people make with a wave: start, undo, pause, resume, cancel. Each is audited.

A pause and a cancellation pull the wave's brake in the same transaction: from its commit on nothing new of the wave is
handed over, however many rows there are still to be tidied up.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import audit_log, outbox
from outreach.alerts import close_alert
from outreach.domain.deliveries import State, Stream
from outreach.domain.waves import NEXT, OVER, Phase, WaveKind, WaveState
from outreach.errors import BadInput, NotFound, NotNow
from outreach.models import Budget, Lane, Wave
from outreach.outbox.releasing import call_off_chunk, wave_states
from outreach.settings import Settings

from . import audiences, drafting
from .tallying import tally

#: Deliveries called off in one transaction.
CHUNK = 5000


def find(session: Session, wave_id: int) -> Wave:
    """The wave with that number; NotFound."""
    return _found(session.get(Wave, wave_id), wave_id)


def locked(session: Session, wave_id: int) -> Wave:
    """The same as it is now, and nobody else moves it until the transaction ends."""
    mine = select(Wave).where(Wave.id == wave_id).with_for_update(key_share=True)
    return _found(session.scalar(mine.execution_options(populate_existing=True)), wave_id)


def _found(wave: Wave | None, wave_id: int) -> Wave:
    if wave is None:
        raise NotFound("There is no such wave.", where=f"wave {wave_id}", advice="See `outreach wave list`.")
    return wave


def start(
    session: Session,
    wave_id: int,
    *,
    settings: Settings,
    now: datetime,
    actor: str,
    at_once: bool = False,
    undo_seconds: int | None = None,
) -> Wave:
    """Start a draft, or one that missed its time: after the undo window, or at its own time if that is later.

    `at_once` leaves its planned time aside; `undo_seconds` overrides its undo window. NotNow says what is in the way.
    """
    wave = locked(session, wave_id)
    missed = wave.state is WaveState.NEEDS_ATTENTION and wave.started_at is None
    if wave.state is not WaveState.DRAFT and not missed and not (wave.state is WaveState.SCHEDULED and at_once):
        raise _not_now(wave, "started")
    _refuse_unready(session, wave, settings, now)
    if undo_seconds is not None:
        if not 0 <= undo_seconds <= 3600:
            raise BadInput(f"{undo_seconds:,} is not between 0 and 3,600.", where="undo")
        wave.undo_seconds = undo_seconds
    soonest = now + timedelta(seconds=wave.undo_seconds)
    if at_once or missed or wave.start_at is None:
        wave.go_at = soonest
    elif now - wave.start_at > timedelta(seconds=wave.max_late_seconds):
        raise NotNow(
            f"Its time, {wave.start_wall} in {wave.zone}, has passed.",
            where=_name(wave),
            advice=f"To let it go now all the same: outreach wave start {wave.id} --now",
        )
    else:
        wave.go_at = max(soonest, wave.start_at)
    waits = wave.start_at is not None and wave.go_at == wave.start_at
    move(session, wave, WaveState.SCHEDULED if waits else WaveState.STARTING, actor=actor, now=now)
    close_alert(session, f"wave:{wave.id}", by=actor, now=now)
    return wave


def _refuse_unready(session: Session, wave: Wave, settings: Settings, now: datetime) -> None:
    if wave.kind is WaveKind.MAILING:
        if not settings.postal_address:
            raise NotNow(
                "A mailing has to name a postal address.",
                where="OUTREACH_POSTAL_ADDRESS",
                advice='Set it, for example to "1 Example Street, Springfield".',
            )
        if wave.previewed_at is None:
            raise NotNow(
                "Nobody has looked at what it says yet.",
                where=_name(wave),
                advice=f"Look at its first mail: outreach wave preview {wave.id}",
            )
    reach = drafting.reach(session, wave, settings=settings, now=now)
    if not audiences.reaches_anybody(session, reach):
        raise NotNow(
            "It would reach nobody.",
            where=_name(wave),
            advice=f"See why, number by number: outreach wave status {wave.id}",
        )


def undo(session: Session, wave_id: int, *, now: datetime, actor: str) -> Wave:
    """Make a wave that has not begun a draft again; NotNow when it has."""
    wave = locked(session, wave_id)
    if wave.state not in (WaveState.STARTING, WaveState.SCHEDULED):
        raise _not_now(wave, "taken back")
    wave.go_at = None
    move(session, wave, WaveState.DRAFT, actor=actor, now=now)
    return wave


def pause(session: Session, wave_id: int, *, reason: str = "", now: datetime, actor: str) -> Wave:
    """Stop it, effective within the hand-overs in flight; NotNow when it is not under way."""
    wave = locked(session, wave_id)
    if WaveState.PAUSED not in NEXT[wave.state] or (wave.state is WaveState.NEEDS_ATTENTION and not wave.started_at):
        raise _not_now(wave, "paused")
    stop(session, wave, reason=reason or "Paused by hand.", now=now, actor=actor)
    return wave


def stop(session: Session, wave: Wave, *, reason: str, now: datetime, actor: str) -> None:
    """The pause itself, for people and for the breaker."""
    move(session, wave, WaveState.PAUSED, reason=reason, actor=actor, now=now)
    outbox.pull_brake(session, scope(wave), actor=actor, reason=reason, now=now)


def resume(session: Session, wave_id: int, *, now: datetime, actor: str) -> Wave:
    """Let it go on. What it was paused for is not held against it again: only what comes from now on counts."""
    wave = locked(session, wave_id)
    if wave.state is not WaveState.PAUSED:
        raise _not_now(wave, "resumed")
    if wave.started_at is None:  # paused in its undo window
        wave.go_at = max(wave.go_at or now, now)
        begin(session, wave, now=now, actor=actor)
    else:
        wave.forgiven = tally(session, wave).as_json()
        move(session, wave, WaveState.SENDING, actor=actor, now=now)
    if _is_braked(session, wave):  # unless staff have let go of it themselves
        outbox.lift_brake(session, scope(wave), actor=actor, now=now)
    close_alert(session, f"wave:{wave.id}", by=actor, now=now)
    return wave


def cancel(session: Session, wave_id: int, *, reason: str = "", now: datetime, actor: str) -> Wave:
    """Call it off for good. What has not left is cancelled with the reason: a first chunk here, the rest by `tick`."""
    wave = locked(session, wave_id)
    if wave.state in OVER or wave.is_standing:
        raise _not_now(wave, "cancelled")
    reason = reason or "The wave was cancelled."
    outbox.pull_brake(session, scope(wave), actor=actor, reason=reason, now=now)
    move(session, wave, WaveState.CANCELLED, reason=reason, actor=actor, now=now)
    wave.finished_at = now
    close_alert(session, f"wave:{wave.id}", by=actor, now=now)
    clear(session, wave, now=now, actor=actor)
    return wave


def clear(session: Session, wave: Wave, *, now: datetime, actor: str = "engine") -> int:
    """Call off a chunk of a cancelled wave; its brake is let go once nothing of it can leave any more."""
    done = call_off_chunk(session, wave.id, reason=wave.reason, limit=CHUNK, now=now, actor=actor)
    states = wave_states(session, wave)
    if _is_braked(session, wave) and not any(
        states[s] for s in (State.HELD, State.QUEUED, State.CLAIMED, State.SENDING)
    ):
        outbox.lift_brake(session, scope(wave), actor=actor, now=now)
        _drop_pace(session, wave)
    return done


def _is_braked(session: Session, wave: Wave) -> bool:
    return scope(wave) in {brake.scope for brake in outbox.brakes_pulled(session)}


def end(session: Session, wave: Wave, *, now: datetime) -> None:
    """All of it is done."""
    move(session, wave, WaveState.FINISHED, now=now)
    wave.finished_at = now
    _drop_pace(session, wave)
    close_alert(session, scope(wave), now=now)


def _drop_pace(session: Session, wave: Wave) -> None:
    if session.get(Budget, scope(wave)) is not None:
        outbox.drop_budget(session, scope(wave))


def begin(session: Session, wave: Wave, *, now: datetime, actor: str = "engine") -> None:
    """Its time has come: it has a pace and a first phase, and planning may begin."""
    wave.started_at = now
    wave.phase, wave.phase_limit = (Phase.CANARY, wave.canary) if wave.canary else (Phase.FULL, None)
    if wave.kind is WaveKind.MAILING:
        wave.lane_id = _own_lane(session, wave, now=now).id
    elif wave.per_hour or wave.hours or wave.days != "all" or wave.curve:
        outbox.set_budget(
            session,
            scope(wave),
            per_hour=wave.per_hour,
            hours=wave.hours,
            days=wave.days,
            zone=wave.zone,
            curve=wave.curve,
        )
    move(session, wave, WaveState.SENDING, actor=actor, now=now)


def _own_lane(session: Session, wave: Wave, *, now: datetime) -> Lane:
    lane = session.scalar(select(Lane).where(Lane.key == scope(wave)))
    if lane is None:
        lane = Lane(key=scope(wave), stream=Stream.NEWS, opens_at=now)
        session.add(lane)
    lane.per_hour, lane.hours, lane.days, lane.zone = wave.per_hour, wave.hours, wave.days, wave.zone
    lane.curve = wave.curve
    session.flush()
    return lane


def scope(wave: Wave) -> str:
    """What the wave's brake, budget, lane and alert are called."""
    return f"wave:{wave.id}"


def move(
    session: Session, wave: Wave, to: WaveState, *, reason: str = "", now: datetime, actor: str = "engine"
) -> None:
    """The one place that changes a wave's state, by the table of allowed moves."""
    if to not in NEXT[wave.state]:
        raise ValueError(f"a wave cannot go from {wave.state} to {to}")
    before = {"state": str(wave.state)}
    wave.state, wave.reason = to, reason
    session.flush()
    after = {"state": str(to), "reason": reason}
    audit_log.note(session, actor, "wave.move", scope(wave), before, after, now=now)


def _name(wave: Wave) -> str:
    return f"wave {wave.id}"


_ADVICE = {
    WaveState.DRAFT: "Start it: outreach wave start {id}",
    WaveState.SCHEDULED: "Take it back (outreach wave undo {id}) or cancel it.",
    WaveState.STARTING: "Take it back (outreach wave undo {id}), pause or cancel it.",
    WaveState.SENDING: "Pause or cancel it.",
    WaveState.PAUSED: "Resume it (outreach wave resume {id}) or cancel it.",
    WaveState.NEEDS_ATTENTION: "See why: outreach wave status {id}",
    WaveState.FINISHED: "Plan another one: outreach wave plan",
    WaveState.CANCELLED: "Plan another one: outreach wave plan",
}


def _not_now(wave: Wave, act: str) -> NotNow:
    what = "The standing wave of a campaign" if wave.is_standing else f"A wave that is {wave.state.replace('_', ' ')}"
    advice = "Pause it." if wave.is_standing else _ADVICE[wave.state].format(id=wave.id)
    return NotNow(f"{what} cannot be {act}.", where=_name(wave), advice=advice)
