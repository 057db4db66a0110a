"""How much may leave now: caps per hour and day as true sliding windows, an even trickle, budgets over many lanes.

A lane's windows hold on the *wire*, not on our clock: a mail counts from the moment it may leave (its attempt begins)
until one hour after it can no longer be leaving (its attempt ended). So in no 60 minutes, wherever they begin,
can a mailbox get more than its cap, whatever a worker does between the two moments.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .hours import OfficeHours, first_instant

__all__ = ["DAY", "HOUR", "UNLIMITED", "OfficeHours", "Pace", "Room", "Spent", "fair_shares", "first_instant", "room"]
__all__ += ["spend", "trickle"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: More than any batch: what a lane without caps has room for.
UNLIMITED = 1_000_000

_TICK = timedelta(microseconds=1)
#: A lane that is full of what is in the air is looked at again so soon.
_SOON = timedelta(seconds=5)
#: A lane that has room again is found so late, by the sweep; what that costs may be made up for within some letters.
_FOUND_LATE, _WITHIN = timedelta(seconds=6), 10


@dataclass(frozen=True, slots=True)
class Pace:
    """What one lane, or one budget, bears. None is no cap."""

    per_hour: int | None = None
    per_day: int | None = None
    hours: OfficeHours | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing limits this lane, so that its past need not be looked at."""
        return self.per_hour is None and self.per_day is None and self.hours is None

    def per_hour_at(self, now: datetime) -> int | None:
        """The hourly cap in the hour of `now`, as the curve lowers it; at least one, unless the hour is closed."""
        if self.per_hour is None or self.hours is None:
            return self.per_hour
        share = self.hours.share(now)
        return max(1, int(self.per_hour * share)) if share > 0 else 0


# ---- one lane: sliding windows --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Room:
    """How many may leave now; when it is none, the first moment at which there may be room again."""

    now: int
    opens_at: datetime


def trickle(per_hour: int) -> tuple[int, timedelta]:
    """What keeps a cap from leaving in one clump: (so many, in any span so long).

    One at a time up to 60 an hour; above that, at most what five minutes bear.
    """
    together = 1 if per_hour <= 60 else per_hour // 12
    return together, together * HOUR / per_hour


def trickling(per_hour: int) -> list[tuple[int, timedelta]]:
    """The windows of a trickle that loses nothing to being looked at late.

    The next portion may leave a few seconds before its turn, and ten of them take as long as ten turns: were each to
    wait from when the last one landed, 30 an hour would come to 29. The hour's own window is another matter and holds.
    """
    together, span = trickle(per_hour)
    portions = min(_WITHIN, per_hour // together)
    return [(together, max(span / 2, span - _FOUND_LATE)), (portions * together, portions * span)]


def room(pace: Pace, ended: Sequence[datetime], flying: int, now: datetime) -> Room:
    """How many may leave a lane at `now`.

    `ended`: when the lane's attempts of the last day ended, oldest first; attempts that were certainly not taken
    are left out. `flying`: attempts begun and not ended.
    """
    if pace.hours is not None and not pace.hours.is_open(now):
        return Room(0, pace.hours.next_opening(now))
    places, opens_at = UNLIMITED, now
    for cap, span in _windows(pace, now):
        # A mail that ended exactly one hour ago may have been the first instant of this window.
        first = bisect_left(ended, now - span)
        over = len(ended) - first + flying - cap
        places = min(places, max(0, -over))
        if over >= 0:
            leaves = ended[first + over] + span + _TICK if first + over < len(ended) else now + _SOON
            opens_at = max(opens_at, leaves)
    if pace.hours is not None:
        if pace.hours.curve:
            opens_at = min(opens_at, pace.hours.next_hour(now))  # the next hour may bear more
        opens_at = pace.hours.next_opening(opens_at)
    return Room(places, opens_at)


def _windows(pace: Pace, now: datetime) -> list[tuple[int, timedelta]]:
    per_hour = pace.per_hour_at(now)
    windows = []
    if per_hour is not None:
        windows += [(per_hour, HOUR), *trickling(per_hour)]
    if pace.per_day is not None:
        windows.append((pace.per_day, DAY))
    return windows


def fair_shares(recent: Mapping[int, int], places: int) -> dict[int, int]:
    """Divide `places` among the keys: each place to whoever had least lately; the earlier key where that is equal."""
    shares = dict.fromkeys(recent, 0)
    line = [(had, order, key) for order, (key, had) in enumerate(recent.items())]
    heapq.heapify(line)
    for _ in range(places if line else 0):
        had, order, key = line[0]
        shares[key] += 1
        heapq.heapreplace(line, (had + 1, order, key))
    return shares


# ---- budgets over many lanes: one moment kept for each limit (GCRA) --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spent:
    """`n` may leave. Where the spending then stands, and the first moment at which one more may leave."""

    n: int
    hour_next: datetime | None
    day_next: datetime | None
    opens_at: datetime


def spend(limits: Pace, hour_next: datetime | None, day_next: datetime | None, want: int, now: datetime) -> Spent:
    """Take up to `want` from a budget that stands at `hour_next` and `day_next`, both moments at which it is whole.

    A budget fills evenly, a day's over its open hours, and never holds more than a minute's worth (one at least): in
    any hour leave at most the cap and that minute. What is not used in time is not made up for later.
    """
    if limits.hours is not None and not limits.hours.is_open(now):
        return Spent(0, hour_next, day_next, limits.hours.next_opening(now))
    hour, day = (
        _meter(limits.per_hour_at(now), HOUR, hour_next, now),
        _meter(limits.per_day, _day(limits), day_next, now),
    )
    n = min(max(0, want), hour.left if hour else want, day.left if day else want)
    opens_at = max([now, *(meter.after(n).one_more_at for meter in (hour, day) if meter)])
    if limits.hours is not None:
        if limits.hours.curve:
            opens_at = min(opens_at, max(now, limits.hours.next_hour(now)))
        opens_at = limits.hours.next_opening(opens_at)
    return Spent(n, hour.after(n).full_at if hour else None, day.after(n).full_at if day else None, opens_at)


@dataclass(frozen=True, slots=True)
class _Meter:
    """One limit at one moment: each mail puts off by `step` the moment at which it is whole again."""

    step: timedelta
    burst: int
    full_at: datetime
    now: datetime

    @property
    def left(self) -> int:
        return max(0, (self.now + self.burst * self.step - self.full_at) // self.step)

    @property
    def one_more_at(self) -> datetime:
        return self.full_at - (self.burst - 1) * self.step

    def after(self, n: int) -> _Meter:
        return _Meter(self.step, self.burst, self.full_at + n * self.step, self.now)


def _meter(cap: int | None, span: timedelta, full_at: datetime | None, now: datetime) -> _Meter | None:
    if cap is None:
        return None
    step = span / cap + _TICK  # rounded up: the cap is never passed by what rounding loses
    burst = max(1, cap * timedelta(minutes=1) // span)
    # A cap that was raised holds at once: what was spent at the old one puts off by one burst at most.
    latest = now + burst * step
    return _Meter(step, burst, min(max(full_at or now, now), latest), now)


def _day(limits: Pace) -> timedelta:
    return limits.hours.open_span() if limits.hours else DAY
