"""When an office may be written to: its hours, its weekdays, its holidays, and how busy each hour may be.

All of it in the office's own wall time, also on the two days a year on which its clocks are changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: An office that does not open within this many days is looked at again then.
_LOOK_AHEAD = 400


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When an office may be written to, in its own wall time. `opens`..`closes` lie within one day."""

    opens: time
    closes: time | None  #: None is midnight at the day's end
    days: frozenset[int]  #: 0 is Monday
    zone: str  #: IANA
    closed: frozenset[date] = frozenset()  #: holidays, in the office's own dates
    curve: tuple[int, ...] = ()  #: 24 weights, one for each hour of the day; none is flat; 0 closes its hour

    @classmethod
    def parse(cls, hours: str, days: str, zone: str) -> OfficeHours:
        """From "08:00-18:00" | "always", "mon-fri" | "all" | "mon,wed", and an IANA zone; ValueError if unreadable."""
        opens, closes = (time(0), None) if hours == "always" else _span(hours)
        return cls(opens, closes, _days(days), ZoneInfo(zone).key)

    @classmethod
    def of(
        cls,
        hours: str | None,
        days: str,
        zone: str,
        *,
        closed: frozenset[date] = frozenset(),
        curve: Sequence[int] | None = None,
    ) -> OfficeHours | None:
        """The hours that a row's columns say; None when that is always, and any hour as good as another."""
        if hours in (None, "always") and days == "all" and not closed and not curve:
            return None
        plain = cls.parse(hours or "always", days, zone)
        return cls(plain.opens, plain.closes, plain.days, plain.zone, closed, tuple(curve or ()))

    def is_open(self, now: datetime) -> bool:
        """Whether `now` (aware) falls into the office's hours."""
        local = now.astimezone(ZoneInfo(self.zone))
        after_opening = local.time() >= self.opens
        before_closing = self.closes is None or local.time() < self.closes
        weighs = not self.curve or self.curve[local.hour] > 0
        return self._works_on(local.date()) and after_opening and before_closing and weighs

    def share(self, now: datetime) -> float:
        """How much of the hourly cap holds in this hour: its weight beside the largest; 1.0 without a curve."""
        if not self.curve:
            return 1.0
        return self.curve[now.astimezone(ZoneInfo(self.zone)).hour] / (max(self.curve) or 1)

    def next_hour(self, now: datetime) -> datetime:
        """When the next hour of the day begins, and with it another weight may hold."""
        local = now.astimezone(ZoneInfo(self.zone))
        return (
            now
            + timedelta(hours=1)
            - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        )

    def next_opening(self, now: datetime) -> datetime:
        """The first instant from `now` on at which the office is open; over a year on when it does not open before."""
        if self.is_open(now):
            return now
        today = now.astimezone(ZoneInfo(self.zone)).date()
        for ahead in range(_LOOK_AHEAD):
            day = today + timedelta(days=ahead)
            if self._works_on(day):
                for instant in self._edges(day):
                    if instant > now and self.is_open(instant):
                        return instant
        return now + timedelta(days=_LOOK_AHEAD)

    def open_span(self) -> timedelta:
        """How long it is open on a working day."""
        whole = timedelta(days=1) if self.closes is None else _since_midnight(self.closes)
        if not self.curve:
            return whole - _since_midnight(self.opens)
        hours = [timedelta(hours=hour) for hour, weight in enumerate(self.curve) if weight > 0]
        begins = _since_midnight(self.opens)
        spans = (min(whole, hour + timedelta(hours=1)) - max(begins, hour) for hour in hours)
        return sum((span for span in spans if span > timedelta(0)), timedelta(0))

    def _works_on(self, day: date) -> bool:
        return day.weekday() in self.days and day not in self.closed

    def _edges(self, day: date) -> list[datetime]:
        """Every instant of `day` at which it may open, in order."""
        zone = ZoneInfo(self.zone)
        walls = {self.opens, *(time(hour) for hour, weight in enumerate(self.curve) if weight > 0)}
        instants = {first_instant(day, wall, zone) for wall in walls}
        # What happens twice when clocks are set back may be an opening twice.
        instants |= {datetime.combine(day, wall, tzinfo=zone).replace(fold=1).astimezone(UTC) for wall in walls}
        begin, end = (datetime.combine(d, time(0), tzinfo=zone) for d in (day, day + timedelta(days=1)))
        return sorted(instants | set(_changes(begin.astimezone(UTC), end.astimezone(UTC), zone)))


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
    # the jump itself.
    return next(_changes(local.replace(fold=1).astimezone(UTC), instant, zone))


def _changes(low: datetime, high: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The instant between two at which clocks in `zone` are changed, found by halving; nothing when they are not."""
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    yield high.replace(microsecond=0)


def _since_midnight(wall: time) -> timedelta:
    return timedelta(hours=wall.hour, minutes=wall.minute, seconds=wall.second)


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
