"""What stands in which lanes, before whom: as the lines that `domain.forecast` reckons with.

Every query is one grouped count over the lanes concerned, by an index. What left in a day is counted by the hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from outreach.domain.courses import Course, Left
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.forecast import Limit, Line, Rival
from outreach.domain.pacing import DAY, HOUR, OfficeHours, Pace
from outreach.domain.waves import WaveState
from outreach.models import Attempt, Budget, Counter, Delivery, Lane, Signature, Wave
from outreach.outbox.heaps import MOST_LETTERS
from outreach.outbox.places import closed_days_of
from outreach.outbox.releasing import waiting_letters

T = TypeVar("T")

#: Not left yet, and about to.
_TO_GO = (State.QUEUED, State.CLAIMED)
#: A campaign that letters still come to brings at least so many a day to each of its mailboxes.
_LEAST_PER_DAY = 0.5
_CHUNK = 500


@dataclass(slots=True)
class Heap:
    """Some letters in one lane, and when the oldest and the youngest of them were due."""

    n: int
    oldest: datetime
    youngest: datetime
    ahead: int = 0  #: of our campaign's, those known to go first


@dataclass(slots=True)
class Lately:
    """What left one lane within a day."""

    hours: list[int] = field(default_factory=lambda: [0] * 24)  #: hours[0] is the last one; as the cap counts it
    by_campaign: dict[int, int] = field(default_factory=dict)  #: in the last hour
    came_and_left: dict[int, int] = field(default_factory=dict)  #: of each campaign's, those that came within a day


def heaps(session: Session, *mine: ColumnElement[bool]) -> dict[int, Heap]:
    """By lane id: what is to go of the deliveries that meet all of `mine`."""
    counted = (
        select(Delivery.lane_id, func.count(), func.min(Delivery.due_at), func.max(Delivery.due_at))
        .where(*mine, Delivery.state.in_(_TO_GO), Delivery.lane_id.is_not(None))
        .group_by(Delivery.lane_id)
    )
    return {lane: Heap(n, old, young) for lane, n, old, young in session.execute(counted) if lane is not None}


def to_go(session: Session, mine: ColumnElement[bool]) -> int:
    """How many of these are to go, whether a brake keeps them or not."""
    counted = select(func.count()).select_from(Delivery)
    return session.scalar(counted.where(mine, Delivery.state.in_(_TO_GO), Delivery.lane_id.is_not(None))) or 0


def held_heaps(
    session: Session,
    campaign_id: int,
    audience: Sequence[ColumnElement[bool]],
    now: datetime,
    *,
    allowed: Sequence[ColumnElement[bool]] = (),
) -> dict[int, Heap]:
    """By lane id: letters that wait for a wave. `audience`: conditions on `Signature`; none is everybody."""
    waits = (waiting_letters(campaign_id), *allowed)
    counted = select(Delivery.lane_id, func.count()).where(*waits).group_by(Delivery.lane_id)
    if audience:
        counted = counted.join(Signature, Signature.id == Delivery.signature_id).where(*audience)
    return {lane: Heap(n, now, now) for lane, n in session.execute(counted) if lane is not None}


def lines(
    session: Session,
    mine: dict[int, Heap],
    *,
    campaign_id: int | None,
    but: ColumnElement[bool],
    opens_at: datetime,
    now: datetime,
    bundle_over: int = 0,
    also: OfficeHours | None = None,
    allowed: Sequence[ColumnElement[bool]] = (),
) -> list[Line]:
    """One line for each lane with letters of `mine`, by lane id.

    `but` names ours among the deliveries; `campaign_id` is theirs, None when there are no others to take turns with.
    Of the others, those count that are `allowed` to leave.
    """
    known = select(Lane).order_by(Lane.id)
    lanes = [lane for ids in _chunks(sorted(mine)) for lane in session.scalars(known.where(Lane.id.in_(ids)))]
    closed = closed_days_of(session, lanes)
    others = _others(session, mine, [~func.coalesce(but, False), *allowed], now) if campaign_id is not None else {}
    paced = [lane.id for lane in lanes if lane.per_day is not None or others.get(lane.id)]
    lately = _lately(session, paced, now)
    brings = _brings_more(session)
    found = []
    for lane in lanes:
        pace, heap, left = lane.pace_with(closed.get(lane.id, frozenset())), mine[lane.id], lately[lane.id]
        begins = max(opens_at, lane.opens_at, now)
        first, perhaps, rivals = heap.ahead, 0, []
        for other, (there, anew) in others.get(lane.id, {}).items():
            if other == campaign_id:
                first += there.n if there.youngest < heap.oldest else 0
                perhaps += there.n if there.youngest >= heap.oldest >= there.oldest else 0
                continue
            per_day = max(_LEAST_PER_DAY, anew + left.came_and_left.get(other, 0)) if other in brings else 0.0
            lead = left.by_campaign.get(other, 0) - left.by_campaign.get(campaign_id or 0, 0)
            rivals.append(Rival(there.n, per_day, lead))
        line = Line(pace, heap.n, begins, _runs(left, now), first, perhaps, tuple(rivals), also, lane.domain)
        waits = heap.n + sum(there.n for there, _ in others.get(lane.id, {}).values())
        if lane.bundle or (bundle_over and waits > bundle_over and lane.key.startswith("mailbox:")):
            line = _as_bundles(line)
        found.append(_by_then(line, now))
    return found


def _others(
    session: Session, mine: dict[int, Heap], theirs: Sequence[ColumnElement[bool]], now: datetime
) -> dict[int, dict[int, tuple[Heap, int]]]:
    """By lane and campaign: what else is queued there, and how much of it has come within a day."""
    found: dict[int, dict[int, tuple[Heap, int]]] = defaultdict(dict)
    recent = func.sum(case((Delivery.due_at >= now - DAY, 1), else_=0))
    for ids in _chunks(sorted(mine)):
        counted = (
            select(
                Delivery.lane_id,
                Delivery.campaign_id,
                func.count(),
                func.min(Delivery.due_at),
                func.max(Delivery.due_at),
                recent,
            )
            .where(Delivery.lane_id.in_(ids), Delivery.state == State.QUEUED, *theirs)
            .group_by(Delivery.lane_id, Delivery.campaign_id)
        )
        for lane, campaign, n, oldest, youngest, anew in session.execute(counted):
            found[lane][campaign] = (Heap(n, oldest, youngest), int(anew))
    return found


def _lately(session: Session, lane_ids: Sequence[int], now: datetime) -> dict[int, Lately]:
    found: dict[int, Lately] = defaultdict(Lately)
    hours = [
        func.sum(case((_between(now - (n + 1) * HOUR, now - n * HOUR) & Attempt.counted, 1), else_=0))
        for n in range(24)
    ]
    last_hour = func.sum(case((Attempt.ended_at >= now - HOUR, 1), else_=0))
    fresh = func.sum(case((Delivery.created_at >= now - DAY, 1), else_=0))
    for ids in _chunks(lane_ids):
        counted = (
            select(Attempt.lane_id, Delivery.campaign_id, last_hour, fresh, *hours)
            .join(Delivery, Delivery.id == Attempt.delivery_id)
            .where(Attempt.lane_id.in_(ids), Attempt.ended_at >= now - DAY, Attempt.outcome != "unavailable")
            .group_by(Attempt.lane_id, Delivery.campaign_id)
        )
        for lane, campaign, recent, anew, *by_hour in session.execute(counted):
            found[lane].by_campaign[campaign] = int(recent)
            found[lane].came_and_left[campaign] = int(anew)
            found[lane].hours = [a + int(b) for a, b in zip(found[lane].hours, by_hour, strict=True)]
    return found


def _between(begin: datetime, end: datetime) -> ColumnElement[bool]:
    return (Attempt.ended_at >= begin) & (Attempt.ended_at < end)


def _runs(lately: Lately, now: datetime) -> tuple[Left, ...]:
    return tuple(Left(now - (hour + 1) * HOUR, lately.hours[hour]) for hour in range(23, -1, -1) if lately.hours[hour])


def _brings_more(session: Session) -> frozenset[int]:
    """Campaigns whose confirmed letters leave by themselves, so that new ones may come at any time."""
    open_ones = select(Wave.campaign_id).where(Wave.is_standing, Wave.state == WaveState.SENDING)
    return frozenset(session.scalars(open_ones))


def _as_bundles(line: Line) -> Line:
    """One mail a day; other campaigns have theirs, and delay none of ours."""
    days = -(-line.ours // MOST_LETTERS)
    ahead = -(-line.ahead // MOST_LETTERS)
    return Line(Pace(None, 1, line.pace.hours), days, line.opens_at, line.left[-1:], ahead, 0, (), line.also)


def _by_then(line: Line, now: datetime) -> Line:
    """What waits in front now may have gone before a later beginning."""
    if line.opens_at <= now + HOUR or not (line.rivals or line.ahead):
        return line
    gone = int(Course(line.pace, now, left=line.left).by(line.opens_at.timestamp()))
    each = gone // (len(line.rivals) + bool(line.ahead))
    rivals = tuple(Rival(max(0, rival.waiting - each), rival.per_day) for rival in line.rivals)
    return replace(line, left=(), ahead=max(0, line.ahead - each), rivals=rivals)


def limits(
    session: Session, stream: Stream, lines: Sequence[Line], *, others: int = 0, opens_at: datetime
) -> list[Limit]:
    """The budgets of the stream and of the lanes' mail domains. `others`: how many of others may go first."""
    keys = [f"stream:{stream}", *sorted({f"domain:{line.domain}" for line in lines if line.domain})]
    rows = [row for part in _chunks(keys) for row in session.scalars(select(Budget).where(Budget.key.in_(part)))]
    found = []
    for row in rows:
        kind, _, name = row.key.partition(":")
        domain = name if kind == "domain" else ""
        found.append(Limit(row.pace, max(opens_at, row.hour_next or opens_at), 0 if domain else others, domain))
    return found


def queued_of_class(session: Session, mail_class: MailClass) -> int:
    """How many mails of a class are queued, from the counters."""
    counted = select(func.sum(Counter.n)).where(Counter.mail_class == mail_class, Counter.state == State.QUEUED)
    return int(session.scalar(counted) or 0)


def accepted_lately(
    session: Session, lane_ids: Iterable[int], now: datetime, mine: ColumnElement[bool] | None = None
) -> float:
    """How many mails of these lanes, or the deliveries among them that `mine` names, were taken in the last hour."""
    n = 0
    for ids in _chunks(sorted(lane_ids)):
        counted = select(func.count()).select_from(Attempt)
        if mine is not None:
            counted = counted.join(Delivery, Delivery.id == Attempt.delivery_id).where(mine)
        lately = (Attempt.ended_at >= now - HOUR) & (Attempt.outcome == "accepted")
        n += session.scalar(counted.where(Attempt.lane_id.in_(ids), lately)) or 0
    return float(n)


def _chunks(ids: Sequence[T]) -> Iterable[Sequence[T]]:
    return (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))
