"""How much may leave now: caps per hour and day as true sliding windows, office hours in the target's own zone.

The window holds on the *wire*, not on our clock: a mail counts from the moment it may leave (its attempt begins)
until one hour after it can no longer be leaving (its attempt ended). So in no 60 minutes, wherever they begin,
can a mailbox get more than its cap, whatever a worker does between the two moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When an office may be written to, in its own wall time. `opens`..`closes` lie within one day."""

    opens: time
    closes: time | None  #: None is midnight at the day's end
    days: frozenset[int]  #: 0 is Monday
    zone: str  #: IANA

    @classmethod
    def parse(cls, hours: str, days: str, zone: str) -> OfficeHours:
        """From "08:00-18:00" | "always", "mon-fri" | "all" | "mon,wed", and an IANA zone; ValueError if unreadable."""
        opens, closes = (time(0), None) if hours == "always" else _span(hours)
        return cls(opens, closes, _days(days), ZoneInfo(zone).key)

    def is_open(self, now: datetime) -> bool:
        """Whether `now` (aware) falls into the office's hours."""
        local = now.astimezone(ZoneInfo(self.zone))
        after_opening = local.time() >= self.opens
        before_closing = self.closes is None or local.time() < self.closes
        return local.weekday() in self.days and after_opening and before_closing

    def next_opening(self, now: datetime) -> datetime:
        """The first instant from `now` on at which the office is open."""
        if self.is_open(now):
            return now
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for ahead in range(15):
            day = today + timedelta(days=ahead)
            opening = first_instant(day, self.opens, zone)
            if day.weekday() in self.days and opening > now and self.is_open(opening):
                return opening
        raise ValueError("an office that never opens")


def first_instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) at which a clock in `zone` shows `wall` on `day`, or has just jumped over it.

    In the spring gap 02:30 does not exist: the answer is the first instant after the gap. In the autumn overlap
    it happens twice: the answer is the first.
    """
    local = datetime.combine(day, wall, tzinfo=zone).replace(fold=0)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # In a gap. fold=0 reads it with the offset before the jump, fold=1 with the one after: between the two lies
    # the jump itself, found by halving.
    low, high = local.replace(fold=1).astimezone(UTC), instant
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)


def _span(text: str) -> tuple[time, time | None]:
    left, _, right = text.partition("-")
    opens = time.fromisoformat(left)
    closes = None if right == "24:00" else time.fromisoformat(right)
    if closes is not None and closes <= opens:
        raise ValueError(f"{text} does not end after it begins")
    return opens, closes


def _days(text: str) -> frozenset[int]:
    if text == "all":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.strip().partition("-")
        if first not in _WEEK or (last and last not in _WEEK):
            raise ValueError(f"{part!r} is no weekday; write mon-fri, all, or mon,wed")
        start, end = _WEEK.index(first), _WEEK.index(last or first)
        found |= {(start + n) % 7 for n in range((end - start) % 7 + 1)}
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Pace:
    """What one lane bears. None is no cap."""

    per_hour: int | None = None
    per_day: int | None = None
    hours: OfficeHours | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing limits this lane, so that its past need not be looked at."""
        return self.per_hour is None and self.per_day is None and self.hours is None


@dataclass(frozen=True, slots=True)
class Room:
    """How many may leave now; when it is none, the first moment at which there may be room again."""

    now: int
    opens_at: datetime


#: More than any batch: what a lane without caps has room for.
UNLIMITED = 1_000_000


def room(pace: Pace, ended: Sequence[datetime], flying: int, now: datetime) -> Room:
    """How many may leave a lane at `now`.

    `ended`: when the lane's attempts of the last day ended, oldest first; attempts that were certainly not taken
    are left out. `flying`: attempts begun and not ended.
    """
    if pace.hours is not None and not pace.hours.is_open(now):
        return Room(0, pace.hours.next_opening(now))
    spaces, openings = [UNLIMITED], [now]
    for cap, span in ((pace.per_hour, HOUR), (pace.per_day, DAY)):
        if cap is None:
            continue
        # ">=": a mail that ended exactly one hour ago may have been the first instant of this window.
        counted = [at for at in ended if at >= now - span]
        spaces.append(max(0, cap - flying - len(counted)))
        if spaces[-1] == 0:
            over = len(counted) + flying - cap
            openings.append(
                counted[over] + span + timedelta(microseconds=1) if over < len(counted) else now + timedelta(seconds=5)
            )
    opens_at = max(openings)
    if pace.hours is not None:
        opens_at = pace.hours.next_opening(opens_at)
    return Room(min(spaces), opens_at)
