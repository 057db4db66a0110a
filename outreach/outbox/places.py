"""How many may leave: of a lane, of a wave, and of each campaign that waits for the same mailbox.

All of it is counted in the claim's own transaction, while the lane and the wave are locked: no two workers count the
same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from outreach import holidays
from outreach.domain.deliveries import State, Stream
from outreach.domain.pacing import DAY, HOUR, room
from outreach.domain.waves import WaveState
from outreach.models import Attempt, Counter, Delivery, Lane, Wave

from .budgets import Purse

#: In the air, or ended in any way that may have reached somebody.
_GONE = (State.CLAIMED, State.SENDING, State.ACCEPTED, State.REJECTED, State.IN_DOUBT, State.GIVEN_UP)
#: A delivery of a finished wave that is queued once more was authorised by a person.
_LETS_GO = (WaveState.SENDING, WaveState.FINISHED)


# ---- lanes ----------------------------------------------------------------------------------------------------------


def lanes_due(session: Session, stream: Stream, now: datetime) -> Sequence[Lane]:
    """Open lanes with something due. Locked: while one worker counts a lane's room, no other counts it too."""
    waiting = exists().where(Delivery.lane_id == Lane.id, Delivery.state == State.QUEUED, Delivery.due_at <= now)
    paced = (
        Lane.per_hour.is_not(None)
        | Lane.per_day.is_not(None)
        | (func.coalesce(Lane.hours, "always") != "always")
        | (Lane.days != "all")
        | (Lane.calendar != "")
        | Lane.curve.is_not(None)
    )
    open_now = select(Lane).where(Lane.stream == stream, Lane.opens_at <= now, Lane.bundle.is_(False), waiting)
    # Free lanes need no lock: nothing is counted for them. The order is by chance, so that none always comes last. A
    # lock that lets others refer to the lane is enough: hand-overs in other workers do not keep it from being counted.
    locked = open_now.where(paced).order_by(func.random()).with_for_update(skip_locked=True, key_share=True)
    return [*session.scalars(locked).all(), *session.scalars(open_now.where(~paced))]


def closed_days_of(session: Session, lanes: Iterable[Lane]) -> Mapping[int, frozenset[date]]:
    """The holidays of each of these lanes that keeps any, by lane id."""
    keeping = [lane for lane in lanes if lane.calendar]
    days = holidays.closed_days(session, (lane.calendar for lane in keeping))
    return {lane.id: days[lane.calendar] for lane in keeping if lane.calendar in days}


def room_of(session: Session, lane: Lane, closed: frozenset[date], now: datetime) -> int:
    """How many may leave this lane now; when none, the lane is shut until there may be room again."""
    pace = lane.pace_with(closed)
    # First what flies, then what ended: a mail that lands between the two looks is counted twice, never missed.
    flying = session.execute(
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.lane_id == lane.id, Delivery.state.in_([State.CLAIMED, State.SENDING]))
    ).scalar_one()
    longest = max(pace.per_hour or 0, pace.per_day or 0)
    ended = session.scalars(
        select(Attempt.ended_at)
        .where(
            Attempt.lane_id == lane.id,
            Attempt.ended_at >= now - DAY,
            Attempt.outcome != "unavailable",
            Attempt.counted,
        )
        .order_by(Attempt.ended_at.desc())
        .limit(longest)
    ).all()
    left = room(pace, [at for at in reversed(ended) if at is not None], flying, now)
    if left.now == 0:
        lane.opens_at = left.opens_at
        session.flush()
    return left.now


# ---- campaigns in one lane ------------------------------------------------------------------------------------------


def campaigns_waiting(session: Session, lane_id: int) -> list[int]:
    """The campaigns with something queued in a lane, the one that waits longest first. Looks at one row for each."""
    waiting = (Delivery.lane_id == lane_id) & (Delivery.state == State.QUEUED)
    lowest = select(func.min(Delivery.campaign_id)).where(waiting).scalar_subquery()
    highest = select(func.max(Delivery.campaign_id)).where(waiting).scalar_subquery()
    first, last = session.execute(select(lowest, highest)).one()
    if first is None or first == last:
        return [] if first is None else [first]
    found, after = list[tuple[datetime, int]](), first - 1
    while row := session.execute(
        select(Delivery.due_at, Delivery.campaign_id)
        .where(waiting, Delivery.campaign_id > after)
        .order_by(Delivery.campaign_id, Delivery.due_at)
        .limit(1)
    ).one_or_none():
        after = row.campaign_id
        found.append((row.due_at, after))
    return [campaign_id for _, campaign_id in sorted(found)]


def had_lately(session: Session, lane_id: int, campaigns: Sequence[int], now: datetime) -> dict[int, int]:
    """How many each campaign sent by this lane in the last hour or has in the air, in the order of `campaigns`."""
    had = dict.fromkeys(campaigns, 0)
    ended = (
        select(Delivery.campaign_id, func.count())
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(Attempt.lane_id == lane_id, Attempt.ended_at >= now - HOUR, Attempt.outcome != "unavailable")
        .group_by(Delivery.campaign_id)
    )
    flying = (
        select(Delivery.campaign_id, func.count())
        .where(Delivery.lane_id == lane_id, Delivery.state.in_([State.CLAIMED, State.SENDING]))
        .group_by(Delivery.campaign_id)
    )
    for campaign_id, n in [*session.execute(ended), *session.execute(flying)]:
        if campaign_id in had:
            had[campaign_id] += n
    return had


# ---- waves ----------------------------------------------------------------------------------------------------------


def gone_by_wave(session: Session, wave_ids: Iterable[int]) -> dict[int, int]:
    """How many deliveries of each wave have left, may have left, or are in the air."""
    gone = dict.fromkeys(wave_ids, 0)
    counted = (
        select(Counter.wave_id, func.sum(Counter.n))
        .where(Counter.wave_id.in_(list(gone)), Counter.state.in_(_GONE))
        .group_by(Counter.wave_id)
    )
    if gone:
        gone |= {wave_id: int(n) for wave_id, n in session.execute(counted)}
    return gone


class Gates:
    """Which waves let anything go in this claim, and how many at most where that is limited."""

    def __init__(self, shut: Iterable[int], places: Mapping[int, int]) -> None:
        self._places = {wave_id: n for wave_id, n in places.items() if n > 0}
        self._shut = sorted({*shut, *(wave_id for wave_id in places if wave_id not in self._places)})

    @classmethod
    def open(cls, session: Session, purse: Purse, limit: int) -> Gates:
        """As the waves stand. One with a limit is locked; one that another worker is counting is shut for now."""
        planned = select(Wave.id, Wave.phase_limit).where(Wave.is_standing.is_(False))
        shut = {row.id for row in session.execute(planned.where(Wave.state.not_in(_LETS_GO)))}
        limited = planned.where(Wave.state == WaveState.SENDING, Wave.phase_limit.is_not(None))
        counted = {row.id: row.phase_limit for row in session.execute(limited)}
        if counted:
            held = limited.order_by(Wave.id).with_for_update(skip_locked=True, key_share=True)
            held_ids = {row.id for row in session.execute(held)}
            shut |= counted.keys() - held_ids
            gone = gone_by_wave(session, held_ids)
            counted = {id_: counted[id_] - gone[id_] for id_ in held_ids}
        for name in purse.keys("wave"):
            counted[int(name)] = purse.left(f"wave:{name}", min(counted.get(int(name), limit), limit))
        return cls(shut, counted)

    def conditions(
        self, lane_ids: Sequence[int], allowed: Sequence[ColumnElement[bool]], now: datetime
    ) -> list[ColumnElement[bool]]:
        """What keeps deliveries of these lanes within their waves' limits, in one statement that takes them."""
        found: list[ColumnElement[bool]] = []
        if self._shut:
            found.append(Delivery.wave_id.is_(None) | Delivery.wave_id.not_in(self._shut))
        for wave_id, n in self._places.items():
            oldest = (
                select(Delivery.id)
                .where(Delivery.wave_id == wave_id, Delivery.lane_id.in_(lane_ids), Delivery.state == State.QUEUED)
                .where(Delivery.due_at <= now, *allowed)
                .order_by(Delivery.due_at, Delivery.id)
                .limit(n)
            )
            found.append(Delivery.wave_id.is_(None) | (Delivery.wave_id != wave_id) | Delivery.id.in_(oldest))
        return found

    def pass_through(self, session: Session, purse: Purse, ids: Sequence[int]) -> None:
        """These have been taken: the places of their waves are used."""
        if not ids or not self._places:
            return
        taken = (
            select(Delivery.wave_id, func.count())
            .where(Delivery.id.in_(ids), Delivery.wave_id.in_(list(self._places)))
            .group_by(Delivery.wave_id)
        )
        for wave_id, n in session.execute(taken):
            if wave_id is None:
                continue
            purse.draw(f"wave:{wave_id}", n)
            left = self._places.pop(wave_id) - n
            if left > 0:
                self._places[wave_id] = left
            else:
                self._shut = sorted({*self._shut, wave_id})
