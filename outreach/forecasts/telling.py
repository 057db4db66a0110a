"""Dates, ranges and rates as people say them, in a zone of theirs."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def on_a_day(at: datetime, zone: str, *, now: datetime) -> str:
    """ "Tuesday 24 November"; with the year when it is another one."""
    local = at.astimezone(ZoneInfo(zone))
    year = f" {local.year}" if local.year != now.astimezone(ZoneInfo(zone)).year else ""
    return f"{local:%A} {local.day} {local:%B}{year}"


def at_a_time(at: datetime, zone: str, *, now: datetime) -> str:
    """ "Friday 27 November 17:00"."""
    return f"{on_a_day(at, zone, now=now)} {at.astimezone(ZoneInfo(zone)):%H:%M}"


def within(low: datetime | None, high: datetime | None, zone: str, *, now: datetime) -> str:
    """When, as exactly as it is known: "on Tuesday 24 November, in the morning", "between … and …"."""
    if low is None:
        return "not within two years"
    if high is None:
        return f"not before {on_a_day(low, zone, now=now)}"
    first, last = on_a_day(low, zone, now=now), on_a_day(high, zone, now=now)
    if first != last:
        return f"between {first} and {last}"
    parts = [part_of_day(at, zone) for at in (low, high)]
    return f"on {first}, {parts[0]}" if parts[0] == parts[1] else f"on {first}"


def part_of_day(at: datetime, zone: str) -> str:
    """ "morning" until noon, "afternoon" until six, then "evening"."""
    hour = at.astimezone(ZoneInfo(zone)).hour
    return "morning" if hour < 12 else "afternoon" if hour < 18 else "evening"


def counted(n: int, one: str, many: str = "") -> str:
    """ "1 letter", "10,000 letters"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
