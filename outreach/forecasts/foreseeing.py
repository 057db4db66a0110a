"""When a wave, a campaign or a lane will be gone, for pages and commands: times, rates, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from outreach.domain.courses import steady_rate
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.forecast import Finish, Limit, Line, wave_ends
from outreach.domain.openings import open_time
from outreach.domain.pacing import HOUR, OfficeHours, Pace
from outreach.domain.waves import OVER, Phase, WaveKind, WaveState
from outreach.models import Campaign, Delivery, Lane, Wave
from outreach.outbox.releasing import wave_states
from outreach.settings import Settings

from . import braking, telling, waiting
from .braking import Braked

#: After each of its first two phases a wave waits for reports, so long at most.
_LOOKS = 2 * timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`start` and `finish_…` are None when nothing waits, or not within two years. `rate_per_hour` is what left in the
    last hour; `needed_per_hour` what each mailbox would have to bear for the wave to end in time, None without a wish.
    """

    start: datetime | None = None
    finish_low: datetime | None = None
    finish_high: datetime | None = None
    rate_per_hour: float = 0.0
    needed_per_hour: int | None = None
    words: str = ""
    warning: str = ""  #: a sentence, when a promise cannot be kept


def of_wave(
    session: Session,
    wave: Wave,
    *,
    now: datetime,
    settings: Settings | None = None,
    audience: Sequence[ColumnElement[bool]] = (),
    readers: int | None = None,
) -> Forecast:
    """Foresee a wave. Before it is planned: letters held for it whose signature meets `audience` (conditions on
    `Signature`), or a mailing to so many `readers`.
    """
    if wave.state in OVER:
        return Forecast(words=f"This wave is {wave.state}.")
    settings = settings or Settings()
    starts, mine = _starts(wave, now), Delivery.wave_id == wave.id
    is_mailing, kept = wave.kind is WaveKind.MAILING, 0
    # Its own brake goes with its state, which is told by itself.
    own = {f"campaign:{wave.campaign_id}"}
    brakes = Braked.found(session, _stream(wave), settings, own=own, but=f"wave:{wave.id}")
    if is_mailing:
        lines = _mailing(session, wave, readers, starts, now)
        rate = waiting.accepted_lately(session, [wave.lane_id] if wave.lane_id else [], now)
    else:
        heaps = _letters(session, wave, mine, audience, starts, brakes)
        rate = waiting.accepted_lately(session, heaps, now, mine)
        kept = _kept(session, mine, brakes)
        lines = waiting.lines(
            session,
            heaps,
            campaign_id=wave.campaign_id,
            but=mine,
            opens_at=starts,
            now=now,
            bundle_over=settings.bundle_over,
            also=OfficeHours.of(wave.hours, wave.days, wave.zone),
            allowed=brakes.allowed,
        )
    limits = _limits(session, wave, lines, starts)
    finish = wave_ends(lines, limits)
    if wave.canary and wave.phase is not Phase.FULL and finish.high is not None:
        finish = replace(finish, high=finish.high + _LOOKS)
    words = _sentence(lines, limits, finish, wave.zone, now=now)
    if wave.state is WaveState.PAUSED:
        words = f"It is paused. Resumed now: {words}"
    elif wave.state is WaveState.NEEDS_ATTENTION:
        words = f"It waits for a person. Let go now: {words}"
    needed = None
    if wave.by_at is not None and lines:
        needed = _needed(lines, finish.start or now, wave.by_at)
        words = f"{words} {_wish(wave, lines, needed, finish, now=now)}"
    foreseen = _told(finish, rate, words, now=now, settings=settings, whole=brakes.whole, kept=kept)
    return replace(foreseen, needed_per_hour=needed)


def of_campaign(session: Session, campaign: Campaign, *, now: datetime, settings: Settings | None = None) -> Forecast:
    """Foresee the queued letters of a campaign, by whichever wave they leave. Those held for a wave are not counted."""
    settings = settings or Settings()
    mine = (Delivery.campaign_id == campaign.id) & (Delivery.mail_class == MailClass.LETTER)
    brakes = Braked.found(session, Stream.LETTERS, settings, own={f"campaign:{campaign.id}"})
    heaps = waiting.heaps(session, mine, *brakes.allowed)
    lines = waiting.lines(
        session,
        heaps,
        campaign_id=campaign.id,
        but=mine,
        opens_at=now,
        now=now,
        bundle_over=settings.bundle_over,
        allowed=brakes.allowed,
    )
    others = _others(session, MailClass.LETTER, sum(line.ours for line in lines))
    limits = waiting.limits(session, Stream.LETTERS, lines, others=others, opens_at=now)
    finish = wave_ends(lines, limits)
    rate = waiting.accepted_lately(session, heaps, now, mine)
    words = _sentence(lines, limits, finish, settings.zone, now=now)
    kept = _kept(session, mine, brakes)
    return _told(finish, rate, words, now=now, settings=settings, whole=brakes.whole, kept=kept)


def of_lane(session: Session, lane: Lane, *, now: datetime, settings: Settings | None = None) -> Forecast:
    """Foresee everything that is queued in a lane, of all campaigns."""
    settings = settings or Settings()
    mine = Delivery.lane_id == lane.id
    brakes = Braked.found(session, lane.stream, settings)
    heaps = waiting.heaps(session, mine, *brakes.allowed)
    lines = waiting.lines(
        session, heaps, campaign_id=None, but=mine, opens_at=now, now=now, bundle_over=settings.bundle_over
    )
    limits = waiting.limits(session, lane.stream, lines, opens_at=now)
    finish = wave_ends(lines, limits)
    rate = waiting.accepted_lately(session, [lane.id], now)
    words, kept = _sentence(lines, limits, finish, lane.zone, now=now), _kept(session, mine, brakes)
    return _told(finish, rate, words, now=now, settings=settings, whole=brakes.whole, kept=kept)


def _starts(wave: Wave, now: datetime) -> datetime:
    if wave.started_at is not None or wave.is_standing:
        return now
    soonest = wave.go_at or max(now + timedelta(seconds=wave.undo_seconds), wave.start_at or now)
    return max(now, soonest)


def _stream(wave: Wave) -> Stream:
    return Stream.NEWS if wave.kind is WaveKind.MAILING else Stream.LETTERS


def _hours(wave: Wave) -> OfficeHours | None:
    return OfficeHours.of(wave.hours, wave.days, wave.zone, curve=wave.curve)


def _mailing(session: Session, wave: Wave, readers: int | None, starts: datetime, now: datetime) -> list[Line]:
    counts = wave_states(session, wave)
    unplanned = (readers or 0) if wave.planned_at is None else 0
    n = counts[State.QUEUED] + counts[State.CLAIMED]
    n = max(n, unplanned - sum(counts.values()) + n)
    lane = session.get(Lane, wave.lane_id) if wave.lane_id is not None else None
    pace = lane.pace if lane else Pace(wave.per_hour, None, _hours(wave))
    return [Line(pace, n, max(starts, lane.opens_at if lane else now))] if n else []


def _letters(
    session: Session,
    wave: Wave,
    mine: ColumnElement[bool],
    audience: Sequence[ColumnElement[bool]],
    starts: datetime,
    brakes: Braked,
) -> dict[int, waiting.Heap]:
    """By lane: the wave's own letters, and those it has yet to release, as far as no brake keeps them."""
    heaps = waiting.heaps(session, mine, *brakes.allowed)
    if wave.planned_at is None and not wave.is_standing:
        held_ones = waiting.held_heaps(session, wave.campaign_id, audience, starts, allowed=brakes.allowed)
        for lane_id, held in held_ones.items():
            known = heaps.get(lane_id)
            heaps[lane_id] = waiting.Heap(known.n + held.n, known.oldest, held.youngest) if known else held
    return heaps


def _kept(session: Session, mine: ColumnElement[bool], brakes: Braked) -> int:
    """How many of ours some brake keeps, by campaign, wave or target."""
    if not brakes.allowed:
        return 0
    return waiting.to_go(session, mine) - sum(heap.n for heap in waiting.heaps(session, mine, *brakes.allowed).values())


def _limits(session: Session, wave: Wave, lines: Sequence[Line], starts: datetime) -> list[Limit]:
    mail_class = MailClass.MAILING if wave.kind is WaveKind.MAILING else MailClass.LETTER
    others = _others(session, mail_class, sum(line.ours for line in lines))
    limits = waiting.limits(session, _stream(wave), lines, others=others, opens_at=starts)
    if wave.kind is WaveKind.LETTERS and wave.per_hour is not None:
        limits.append(Limit(Pace(wave.per_hour, None, _hours(wave)), starts))
    return limits


def _others(session: Session, mail_class: MailClass, ours: int) -> int:
    return max(0, waiting.queued_of_class(session, mail_class) - ours)


def _told(
    finish: Finish, rate: float, words: str, *, now: datetime, settings: Settings, whole: bool, kept: int
) -> Forecast:
    promised = now + timedelta(days=settings.max_wait_days)
    warning = ""
    if finish.start is not None and (finish.high is None or finish.high > promised):
        may = "will" if finish.low is None or finish.low > promised else "may"
        warning = f"The last of them {may} wait longer than the {settings.max_wait_days} days that are promised."
    words = f"{braking.said(words, whole=whole, kept=kept)} {warning}".strip()
    if whole:
        return Forecast(rate_per_hour=rate, words=words, warning=warning)
    # What a brake keeps ends nobody knows when.
    return Forecast(finish.start, finish.low, None if kept else finish.high, rate, None, words, warning)


def _needed(lines: Sequence[Line], start: datetime, by: datetime) -> int | None:
    """What the fullest mailbox would have to bear in each of its open hours; None when it is not open until then."""
    needed = 0
    for line in lines:
        hours = open_time(line.pace.hours, max(start, line.opens_at), by, line.also) / HOUR
        if hours <= 0:
            return None
        turns = line.ahead + line.ours + sum(min(rival.waiting, line.ours) for rival in line.rivals)
        needed = max(needed, ceil(turns / hours))
    return needed


def _wish(wave: Wave, lines: Sequence[Line], needed: int | None, finish: Finish, *, now: datetime) -> str:
    assert wave.by_at is not None  # noqa: S101 (asked only of a wave with a wish)
    by = telling.at_a_time(wave.by_at, wave.zone, now=now)
    if finish.high is not None and finish.high <= wave.by_at:
        return f"That is in time for {by}."
    if needed is None:
        return f"By {by} not every office is open at all."
    instead = " or the daily bundle" if wave.kind is WaveKind.LETTERS else ""
    each = " for each mailbox" if len(lines) > 1 else ""
    return f"To end by {by} it needs {needed:,} an hour{each}{instead}."


def _sentence(lines: Sequence[Line], limits: Sequence[Limit], finish: Finish, zone: str, *, now: datetime) -> str:
    n = sum(line.ours for line in lines)
    if not n:
        return braking.NOTHING
    ends = telling.within(finish.low, finish.high, zone, now=now)
    to = f" to {telling.counted(len(lines), 'mailbox', 'mailboxes')}" if len(lines) > 1 else ""
    return f"{telling.counted(n, 'mail')}{to}{_pace(lines, limits)} {'ends' if n == 1 else 'end'} {ends}."


def _pace(lines: Sequence[Line], limits: Sequence[Limit]) -> str:
    """ " at 30 an hour in office hours", as far as the lanes are alike; " at 20 a day" where that is what binds."""
    caps = sorted({line.pace.per_hour for line in lines if line.pace.per_hour is not None})
    each = " each" if len(lines) > 1 else ""
    told = ""
    if len(caps) == 1 and all(line.pace.per_hour for line in lines):
        told = f" at {caps[0]:,} an hour{each}"
        days = {line.pace.per_day for line in lines if steady_rate(line.pace) < caps[0]}
        if len(days) == 1 and all(line.pace.per_day in days for line in lines):
            told = f" at {days.pop():,} a day{each}"
    elif caps:
        told = f" at up to {caps[-1]:,} an hour each"
    overall = [limit.pace.per_hour for limit in limits if limit.pace.per_hour is not None]
    if overall:
        told += f"{',' if told else ''} at most {min(overall):,} an hour in all,"
    return told + (" in office hours" if any(line.pace.hours for line in lines) else "")
