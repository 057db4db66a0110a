"""A letter's place in the line before its mailbox, and when its turn is expected."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
    return of_letters(session, [delivery], now=now, settings=settings)[delivery.id]


def of_letters(
    session: Session, letters: Sequence[Delivery], *, now: datetime, settings: Settings | None = None
) -> dict[int, Place]:
    """The same for several, by delivery id. Those of one signature are asked about together."""
    if not letters:
        return {}
    settings = settings or Settings()
    brakes = Braked.found(session, Stream.LETTERS, settings)
    wanted = select(Lane).where(Lane.id.in_({letter.lane_id for letter in letters if letter.lane_id is not None}))
    lanes = {lane.id: lane for lane in session.scalars(wanted)}
    found, in_line = {}, []
    for letter in letters:
        lane = lanes.get(letter.lane_id or 0)
        place = _out_of_line(letter, lane, brakes, now)
        if place is None:
            in_line.append(letter)
        else:
            found[letter.id] = place
    for batch in _batches(in_line, now):
        for lane_id, line in zip(sorted(batch), _lines(session, batch, brakes, now, settings), strict=True):
            found[batch[lane_id].id] = _place(line, lanes[lane_id].zone, now)
    return found


def _out_of_line(letter: Delivery, lane: Lane | None, brakes: Braked, now: datetime) -> Place | None:
    """What is said of a letter that does not wait for its turn; None for one that does."""
    if letter.state in (State.CLAIMED, State.SENDING):
        return Place(0, now, now, "is leaving now")
    if letter.accepted_at is not None:
        on_a_day = telling.on_a_day(letter.accepted_at, lane.zone if lane else "UTC", now=now)
        return Place(0, None, None, f"left on {on_a_day}")
    if letter.state is not State.QUEUED or lane is None:
        return Place(0, None, None, "is held" if letter.state is State.HELD else "does not leave")
    own = (f"campaign:{letter.campaign_id}", f"wave:{letter.wave_id}", f"target:{letter.target_id}")
    if brakes.whole or not brakes.scopes.isdisjoint(own):
        return Place(0, None, None, "is held back for now")
    return None


def _place(line: Line, zone: str, now: datetime) -> Place:
    finish = lane_ends(line)
    number = line.ahead + 1 + sum(min(rival.waiting, line.ahead) for rival in line.rivals)
    expected = telling.within(finish.low, finish.high, zone, now=now)
    return Place(number, finish.low, finish.high, f"number {number:,}, expected {expected}", zone)


def _batches(letters: Sequence[Delivery], now: datetime) -> Iterable[dict[int, Delivery]]:
    """What can be reckoned in one go: letters of one campaign that may leave from one moment on, each of another lane.

    By lane id. Of a signature's letters that is nearly always all of them.
    """
    batches: dict[tuple[int | None, datetime, int], dict[int, Delivery]] = defaultdict(dict)
    seen: Counter[tuple[int | None, datetime, int]] = Counter()
    for letter in letters:
        assert letter.lane_id is not None  # noqa: S101 (a queued letter has a lane)
        campaign_id, opens_at = letter.campaign_id, max(now, letter.due_at)
        seen[campaign_id, opens_at, letter.lane_id] += 1
        batches[campaign_id, opens_at, seen[campaign_id, opens_at, letter.lane_id]][letter.lane_id] = letter
    return batches.values()


def _lines(
    session: Session, batch: Mapping[int, Delivery], brakes: Braked, now: datetime, settings: Settings
) -> list[Line]:
    """The line before each letter of the batch, by lane id."""
    one = next(iter(batch.values()))
    return waiting.lines(
        session,
        {lane_id: _heap(session, letter, brakes) for lane_id, letter in batch.items()},
        campaign_id=one.campaign_id,
        but=Delivery.campaign_id == one.campaign_id,
        opens_at=max(now, one.due_at),
        now=now,
        bundle_over=settings.bundle_over,
        allowed=brakes.allowed,
    )


def _heap(session: Session, letter: Delivery, brakes: Braked) -> waiting.Heap:
    """The letter alone, and how many of its campaign go first."""
    same = (Delivery.lane_id == letter.lane_id) & (Delivery.state == State.QUEUED)
    ours = Delivery.campaign_id == letter.campaign_id
    older = (Delivery.due_at < letter.due_at) | ((Delivery.due_at == letter.due_at) & (Delivery.id < letter.id))
    ahead = session.scalar(select(func.count()).select_from(Delivery).where(same, ours, older, *brakes.allowed)) or 0
    return waiting.Heap(1, letter.due_at, letter.due_at, ahead)
