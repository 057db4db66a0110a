"""A time on a clock on the wall, and the instant it means. Twice a year that takes a decision, and then it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from .pacing import first_instant

_SHAPE = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})")


@dataclass(frozen=True, slots=True)
class WallTime:
    """What an organizer wrote, and the instant (UTC) it means. `said` is a sentence when the clocks made it special."""

    text: str
    zone: str
    at: datetime
    said: str = ""

    @classmethod
    def read(cls, text: str, zone: str) -> WallTime:
        """From "2026-11-27 09:00" and an IANA zone; ValueError when that is no date and time.

        A time that the clocks jump over in spring becomes the first instant after the jump; one that comes twice in
        autumn is the first of the two.
        """
        found = _SHAPE.fullmatch(text.strip())
        if not found:
            raise ValueError("not a date and a time")
        wall = datetime.fromisoformat(f"{found[1]} {found[2]}")
        local_zone = ZoneInfo(zone)
        at = first_instant(wall.date(), wall.time(), local_zone)
        return cls(f"{found[1]} {found[2]}", zone, at, _said(wall, at, local_zone))


def _said(wall: datetime, at: datetime, zone: ZoneInfo) -> str:
    shown = at.astimezone(zone).replace(tzinfo=None)
    if shown != wall:
        return (
            f"{wall:%H:%M} does not exist on {wall:%Y-%m-%d} in {zone.key}, where the clocks jump over it; "
            f"it becomes {shown:%Y-%m-%d %H:%M}."
        )
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second != at:
        return f"{wall:%H:%M} comes twice on {wall:%Y-%m-%d} in {zone.key}; the first of the two is meant."
    return ""
