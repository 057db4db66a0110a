"""The stretches of time in which an office is open, one after the other: what a forecast walks along.

Whether it is open, and how busy an hour may be, is asked of `OfficeHours`; here is only where to look. Times are
seconds since 1970, because a forecast for a hundred offices looks at some ten thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .hours import OfficeHours, first_instant

#: Nothing is foreseen further ahead than this.
HORIZON_DAYS = 800
_DAY = 86_400.0
_QUARTER = timedelta(minutes=15)
_MIDNIGHT = time(0)


class Stretch(NamedTuple):
    """From `begin` until just before `end` the office is open, and `share` of its hourly cap holds."""

    begin: float
    end: float
    share: float  #: 1.0 without a curve


def stretches(hours: OfficeHours | None, since: float, also: OfficeHours | None = None) -> Iterator[Stretch]:
    """The open stretches from `since` on, none longer than a day; in both, where `also` is given (its curve is not
    looked at).
    """
    if hours is None and also is not None:
        hours, also = also, None
    ours = _from(hours, since)
    return ours if also is None else _in_both(ours, _from(also, since))


def open_time(hours: OfficeHours | None, begin: datetime, end: datetime, also: OfficeHours | None = None) -> timedelta:
    """How long it is open between two moments; an hour in which half the cap holds counts half."""
    seconds, until = 0.0, end.timestamp()
    for stretch in stretches(hours, begin.timestamp(), also):
        if stretch.begin >= until:
            break
        seconds += (min(stretch.end, until) - stretch.begin) * stretch.share
    return timedelta(seconds=seconds)


def _from(hours: OfficeHours | None, since: float) -> Iterator[Stretch]:
    if hours is None:
        for n in range(HORIZON_DAYS):
            yield Stretch(since + n * _DAY, since + (n + 1) * _DAY, 1.0)
        return
    today = datetime.fromtimestamp(since, ZoneInfo(hours.zone)).toordinal()
    for day in range(today, today + HORIZON_DAYS):
        for begin, end, share in _of_day(hours, day):
            if end > since:
                yield Stretch(max(begin, since), end, share)


def _in_both(ours: Iterator[Stretch], theirs: Iterator[Stretch]) -> Iterator[Stretch]:
    mine, other = next(ours, None), next(theirs, None)
    while mine and other:
        begin, end = max(mine.begin, other.begin), min(mine.end, other.end)
        if begin < end:
            yield Stretch(begin, end, mine.share)
        if mine.end <= other.end:
            mine = next(ours, None)
        else:
            other = next(theirs, None)


@lru_cache(maxsize=1 << 15)
def _of_day(hours: OfficeHours, ordinal: int) -> tuple[Stretch, ...]:
    day, zone = date.fromordinal(ordinal), ZoneInfo(hours.zone)
    found: list[Stretch] = []
    edges = _edges(hours, day, zone)
    for begin, end in pairwise(edges):
        if not hours.is_open(begin):
            continue
        share = hours.share(begin)
        if found and found[-1].end == begin.timestamp() and found[-1].share == share:
            found[-1] = found[-1]._replace(end=end.timestamp())
        else:
            found.append(Stretch(begin.timestamp(), end.timestamp(), share))
    return tuple(found)


def _edges(hours: OfficeHours, day: date, zone: ZoneInfo) -> list[datetime]:
    """Instants between which nothing changes: neither open or shut, nor the share of the hour."""
    begin, end = (first_instant(d, _MIDNIGHT, zone) for d in (day, day + timedelta(days=1)))
    walls = {hours.opens, hours.closes or _MIDNIGHT, *(time(hour) for hour in range(24) if hours.curve)}
    edges = {begin, end, *(first_instant(day, wall, zone) for wall in walls)}
    if end - begin != timedelta(days=1):  # the clocks are changed on this day: look at every quarter of an hour
        edges |= {begin + n * _QUARTER for n in range((end - begin) // _QUARTER)}
        edges |= {datetime.combine(day, wall, tzinfo=zone).replace(fold=1).astimezone(UTC) for wall in walls}
    return sorted(edge for edge in edges if begin <= edge <= end)
