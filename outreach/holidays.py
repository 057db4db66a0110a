"""Public holidays: on which days the offices of a calendar ("us", "de-by", …) are closed.

A calendar is a list that somebody imports; the engine knows no holidays by itself. A mailbox keeps the calendar that
its lane names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from outreach.domain.pacing import Pace
from outreach.errors import BadInput, BadRows
from outreach.models import AuditEntry, Holiday, Lane

_LINE = re.compile(r"(\d{4}-\d\d-\d\d)(?:\s+(\S.*))?", re.ASCII)
_CALENDAR = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import changed: days that are new or have another name, and days that were forgotten."""

    days: int
    forgotten: int


def closed_days(session: Session, calendars: Iterable[str]) -> dict[str, frozenset[date]]:
    """The days of each of these calendars that has any; "" has none and costs nothing."""
    wanted = {calendar for calendar in calendars if calendar}
    if not wanted:
        return {}
    days: dict[str, set[date]] = {}
    for calendar, day in session.execute(select(Holiday.calendar, Holiday.day).where(Holiday.calendar.in_(wanted))):
        days.setdefault(calendar, set()).add(day)
    return {calendar: frozenset(found) for calendar, found in days.items()}


def pace_of(session: Session, lane: Lane) -> Pace:
    """A lane's whole pace, its holidays included. For many lanes: `closed_days` once, then `lane.pace_with`."""
    return lane.pace_with(closed_days(session, [lane.calendar]).get(lane.calendar, frozenset()))


def read_days(text: str) -> dict[date, str]:
    """Days and their names from lines such as "2026-12-25 Christmas Day"; "#" begins a remark. BadRows names a line."""
    days: dict[date, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        try:
            day = date.fromisoformat(found[1]) if found else None
        except ValueError:
            day = None
        if found is None or day is None:
            raise BadRows(
                f"{line[:40]!r} is no day and its name.", where=f"line {number}", advice="2026-12-25 Christmas Day"
            )
        days[day] = (found[2] or "").strip()[:80]
    if not days:
        raise BadRows("There is no day in it.", advice="Write a line for each day: 2026-12-25 Christmas Day")
    return days


def checked_calendar(text: str) -> str:
    """A calendar's name as it is kept; BadInput for what can be none."""
    name = text.strip().casefold()
    if not _CALENDAR.fullmatch(name):
        raise BadInput(
            f"{text[:40]!r} is no name for a calendar.",
            where="--calendar",
            advice="Write letters, digits and hyphens, such as us or de-by.",
        )
    return name


def take_days(
    session: Session, calendar: str, days: dict[date, str], *, replace: bool = False, now: datetime, actor: str
) -> Taken:
    """Close the offices of `calendar` on these days as well; with `replace`, on these days and no others."""
    known = {row.day: row for row in listing(session, calendar)}
    changed = [day for day, name in days.items() if day not in known or known[day].name != name]
    forgotten = sorted(known.keys() - days.keys()) if replace else []
    for day in changed:
        session.merge(Holiday(calendar=calendar, day=day, name=days[day]))
    session.execute(delete(Holiday).where(Holiday.calendar == calendar, Holiday.day.in_(forgotten)))
    # A lane that was shut over a day which is none any more is looked at again.
    session.execute(update(Lane).where(Lane.calendar == calendar, Lane.opens_at > now).values(opens_at=now))
    taken = Taken(len(changed), len(forgotten))
    after = {"days": taken.days, "forgotten": taken.forgotten}
    session.add(AuditEntry(at=now, actor=actor, action="holidays.import", subject=f"calendar:{calendar}", after=after))
    session.flush()
    return taken


def listing(session: Session, calendar: str = "") -> list[Holiday]:
    """All days that are kept, or those of one calendar, in order."""
    chosen = select(Holiday).order_by(Holiday.calendar, Holiday.day)
    return list(session.scalars(chosen.where(Holiday.calendar == calendar) if calendar else chosen))
