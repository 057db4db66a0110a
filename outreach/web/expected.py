"""When a letter will leave, as its signer is told: in the office's own days, and only as exactly as it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from outreach.forecasts import Place
from outreach.forecasts.telling import part_of_day


@dataclass(frozen=True, slots=True)
class Expected:
    """`number` is its place in line, 0 when it is leaving now. `first` is None when nobody can say, `last` when only
    the earliest day is known; `part` is "morning", "afternoon" or "evening", or "" when it may be any.
    """

    number: int
    first: date | None = None
    last: date | None = None
    part: str = ""


def expected(place: Place) -> Expected:
    """What is foreseen of a letter that waits."""
    if place.expected_low is None or not place.number:
        return Expected(place.number)
    zone = ZoneInfo(place.zone)
    first = place.expected_low.astimezone(zone).date()
    if place.expected_high is None:
        return Expected(place.number, first)
    last = place.expected_high.astimezone(zone).date()
    parts = {part_of_day(at, place.zone) for at in (place.expected_low, place.expected_high)}
    return Expected(place.number, first, last, parts.pop() if first == last and len(parts) == 1 else "")
