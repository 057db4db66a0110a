"""One letter's place in the line before its mailbox, and when its turn is expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import State, Stream
from outreach.domain.forecast import Line, lane_ends
from outreach.models import Delivery, Lane
from outreach.settings import Settings

from . import telling, waiting
from .braking import Braked


@dataclass(frozen=True, slots=True)
class Place:
    """One letter's place among those for the same mailbox, counting the turns of all campaigns; 0: no place."""

    number: int
    expected_low: datetime | None
    expected_high: datetime | None
    words: str
    zone: str = "UTC"  #: the office's, in whose days it is told


def of_letter(session: Session, delivery: Delivery, *, now: datetime, settings: Settings | None = None) -> Place:
    """A letter's number, and when it is expected to leave, in the office's own days."""
    lane = session.get(Lane, delivery.lane_id) if delivery.lane_id is not None else None
    zone = lane.zone if lane else "UTC"
    if delivery.state in (State.CLAIMED, State.SENDING):
        return Place(0, now, now, "is leaving now")
    if delivery.accepted_at is not None:
        return Place(0, None, None, f"left on {telling.on_a_day(delivery.accepted_at, zone, now=now)}")
    if delivery.state is not State.QUEUED or lane is None:
        return Place(0, None, None, "is held" if delivery.state is State.HELD else "does not leave")
    settings = settings or Settings()
    own = {f"{kind}:{id_}" for kind, id_ in _holders(delivery).items()}
    brakes = Braked.found(session, Stream.LETTERS, settings, own=own)
    if brakes.whole:
        return Place(0, None, None, "is held back for now")
    line = _line_of_letter(session, delivery, brakes, now, settings)
    finish = lane_ends(line)
    number = line.ahead + 1 + sum(min(rival.waiting, line.ahead) for rival in line.rivals)
    expected = telling.within(finish.low, finish.high, zone, now=now)
    return Place(number, finish.low, finish.high, f"number {number:,}, expected {expected}", zone)


def _holders(delivery: Delivery) -> dict[str, int | None]:
    """What a brake may stop that the letter belongs to."""
    return {"campaign": delivery.campaign_id, "wave": delivery.wave_id, "target": delivery.target_id}


def _line_of_letter(session: Session, delivery: Delivery, brakes: Braked, now: datetime, settings: Settings) -> Line:
    same = (Delivery.lane_id == delivery.lane_id) & (Delivery.state == State.QUEUED)
    ours = Delivery.campaign_id == delivery.campaign_id
    older = (Delivery.due_at < delivery.due_at) | ((Delivery.due_at == delivery.due_at) & (Delivery.id < delivery.id))
    ahead = session.scalar(select(func.count()).select_from(Delivery).where(same, ours, older, *brakes.allowed)) or 0
    heap = waiting.Heap(1, delivery.due_at, delivery.due_at)
    assert delivery.lane_id is not None  # noqa: S101 (a queued letter has a lane)
    (line,) = waiting.lines(
        session,
        {delivery.lane_id: heap},
        campaign_id=delivery.campaign_id,
        but=ours,
        opens_at=max(now, delivery.due_at),
        now=now,
        ahead=ahead,
        bundle_over=settings.bundle_over,
        allowed=brakes.allowed,
    )
    return line
