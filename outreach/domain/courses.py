"""How many letters can have left by when, at the fastest that the rules allow.

A course is a line that rises while the office is open and there is room in the windows, and is flat otherwise. It is
walked stretch by stretch, never letter by letter, so ten thousand letters cost what their weeks cost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, inf

from .openings import Stretch, stretches
from .pacing import DAY, HOUR, OfficeHours, Pace

#: What the fastest machine hands over; where nothing else limits a lane this does.
FASTEST_PER_HOUR = 30_000_000
#: What rounding may lose, in letters; the shortest step, in seconds.
_EVEN, _FAIRLY_EVEN, _LEAST = 1e-6, 0.01, 1e-3


@dataclass(frozen=True, slots=True)
class Left:
    """So many left a lane from `begin` on, within an hour or so; reckoned as if all had left then."""

    begin: datetime
    n: int


class Course:
    """How many letters can have left a lane by when. It grows as far as it is asked for."""

    def __init__(
        self,
        pace: Pace,
        begins: datetime,
        *,
        left: Sequence[Left] = (),
        also: OfficeHours | None = None,
        at_best: bool = False,
    ) -> None:
        """`at_best` is a course that no lane outruns: each hour of a curve bears its cap, whatever the hour before did.

        Without it an hour that bears less than the one before waits for that one's letters to leave the window, and for
        the next letter's turn as well, which is a little slower than they go.
        """
        since = begins.timestamp()
        self._pace, self._top = pace, (FASTEST_PER_HOUR if pace.per_hour is None else pace.per_hour) / 3600
        self._open = stretches(pace.hours, since, also)
        self._windows = _windows(pace, at_best=at_best)
        self._one_by_one, self._closed_at = pace.per_hour is not None, since
        self._top_before = self._top
        #: By `at[i]`, `total[i]` had left. What left before it begins counts from below zero.
        self.at, self.total = _past(left if self._windows else (), since)

    @classmethod
    def of_budget(cls, pace: Pace, begins: datetime) -> Course:
        """The course of a budget over many lanes: it has no windows and fills evenly, a day's over its open hours."""
        course = cls(pace, begins)
        course._top, course._windows, course._one_by_one = steady_rate(pace) / 3600, [], False
        return course

    def when(self, n: float) -> float | None:
        """The moment (seconds since 1970) from which on more than `n` can have left; None is not within two years."""
        n += _EVEN
        while self.total[-1] <= n:
            stretch = next(self._open, None)
            if stretch is None:
                return None
            self._walk(stretch)
        i = bisect_right(self.total, n)
        begin, before = self.at[i - 1], self.total[i - 1]
        return begin + (self.at[i] - begin) * (n - before) / (self.total[i] - before)

    def by(self, at: float) -> float:
        """How many can have left by that moment."""
        while self.at[-1] < at:
            stretch = next(self._open, None)
            if stretch is None:
                break
            self._walk(stretch)
        return max(0.0, self.height(at, bisect_right(self.at, at)))

    def height(self, at: float, i: int) -> float:
        """How many had left by `at`, which lies between the points i-1 and i."""
        if i == 0:
            return self.total[0]
        if i == len(self.at):
            return self.total[-1]
        begin, before = self.at[i - 1], self.total[i - 1]
        return before + (self.total[i] - before) * (at - begin) / (self.at[i] - begin)

    def _walk(self, stretch: Stretch) -> None:
        at, end, total = stretch.begin, stretch.end, self.total[-1]
        top = self._top
        if stretch.share != 1.0 and self._pace.per_hour is not None:
            hourly = self._pace.per_hour_at(datetime.fromtimestamp(at, UTC))
            top = min(top, (hourly or 0) / 3600)
        if self._one_by_one:
            total = self._waited(at, total, top)
        self._reach(at, total)
        self._closed_at, self._top_before = end, top
        while at < end:
            for window in self._windows:
                window.slide(self, at, total, top)
            rate = min([top, *(window.bears(top) for window in self._windows)])
            until = min([end, *(window.holds(rate, at) for window in self._windows)])
            total += rate * (until - at)
            at = until
            self._reach(at, total)

    def _waited(self, at: float, total: float, top: float) -> float:
        """Where the course goes on at `at`, at `top` letters a second: the next letter has waited since the last one.

        The first letter of a day goes when the office opens: its wait ran out while the office slept. In an hour that
        bears more than the one before, the time that it has waited already is more of what it has to wait.
        """
        if at - self._closed_at > _LEAST:
            total = ceil(total - _EVEN)
            self._reach(self._closed_at + _LEAST, total)
        elif top > self._top_before > 0:
            whole = floor(total + _EVEN)
            total = whole + min(1.0, max(0.0, total - whole) * top / self._top_before)
        return total

    def _reach(self, at: float, total: float) -> None:
        if at > self.at[-1]:
            self.at.append(at)
            self.total.append(total)


class _Window:
    """A sliding window over a course: in any `span` seconds, `cap` at most."""

    def __init__(self, cap: int, span: timedelta, *, follows_curve: bool = False) -> None:
        self._cap, self._span, self._follows_curve = cap, span.total_seconds(), follows_curve
        self._tail = 0  #: the first point of the course that is still inside

    def slide(self, course: Course, at: float, total: float, top: float) -> None:
        """Come to `at`, where `total` have left and the hour's cap gives `top` letters a second."""
        edge = at - self._span
        points = course.at
        while self._tail < len(points) and points[self._tail] <= edge:
            self._tail += 1
        i = self._tail
        # How fast it empties at its far end, and until when.
        self._leaving, self._until = 0.0, inf
        if i < len(points):
            self._until = points[i] + self._span
            if i > 0:
                self._leaving = (course.total[i] - course.total[i - 1]) / (points[i] - points[i - 1])
        cap = top * self._span if self._follows_curve else self._cap
        self._places = cap - (total - course.height(edge, i))

    def bears(self, top: float) -> float:
        """How many letters a second may leave now."""
        if self._places > _EVEN:
            return top
        return min(top, self._leaving) if self._places > -_FAIRLY_EVEN else 0.0

    def holds(self, rate: float, at: float) -> float:
        """Until when that stays so, at that rate."""
        until = self._until
        if self._places > _EVEN and rate > self._leaving:
            until = min(until, at + self._places / (rate - self._leaving))
        elif self._places <= -_FAIRLY_EVEN and self._leaving > 0:
            until = min(until, at - self._places / self._leaving)
        return max(until, at + _LEAST)


def _windows(pace: Pace, *, at_best: bool) -> list[_Window]:
    """The windows that can be full: an even trickle keeps the hour's by itself while its cap does not change."""
    windows = []
    if pace.per_day is not None:
        open_hours = 24.0 if pace.hours is None else pace.hours.open_span() / HOUR + 1  # one more in autumn
        if pace.per_hour is None or pace.per_hour * open_hours > pace.per_day:
            windows.append(_Window(pace.per_day, DAY))
    if not at_best and pace.per_hour is not None and pace.hours is not None and pace.hours.curve:
        windows.append(_Window(pace.per_hour, HOUR, follows_curve=True))
    return windows


def steady_rate(pace: Pace) -> float:
    """Letters an hour on the whole, in opening hours."""
    per_hour = float(FASTEST_PER_HOUR if pace.per_hour is None else pace.per_hour)
    if pace.per_day is None:
        return per_hour
    return min(per_hour, pace.per_day / ((pace.hours.open_span() if pace.hours else DAY) / HOUR))


def least_per_hour(pace: Pace) -> int:
    """What the quietest hour of its curve bears; the hourly cap without a curve."""
    if pace.per_hour is None:
        return FASTEST_PER_HOUR
    weights = [weight for weight in (pace.hours.curve if pace.hours else ()) if weight > 0]
    return max(1, pace.per_hour * min(weights) // max(weights)) if weights else pace.per_hour


def _past(left: Sequence[Left], since: float) -> tuple[list[float], list[float]]:
    """The course until it begins: from minus what left to nothing."""
    at, total = [since - DAY.total_seconds()], [-float(sum(run.n for run in left))]
    for run in left:
        begin = run.begin.timestamp()
        if begin > at[-1]:
            at.append(begin)
            total.append(total[-1])
        at.append(at[-1] + _LEAST)
        total.append(total[-1] + run.n)
    if since > at[-1]:
        at.append(since)
        total.append(0.0)
    return at, total
