"""Targets from a CSV file: a row each, all of them or none.

Columns: `name`, `office` (or `title`), `email`, and, where they are wanted, `salutation`, `language`, `external_id`,
`per_hour`, `per_day`, `hours`, `days`, `zone`. An empty cell leaves things as they are. A target that is not in the
file is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import targets
from outreach.campaigns import one_import_at_a_time, target_key
from outreach.domain.pages import Addressee
from outreach.domain.tables import rows_of
from outreach.domain.words import one_line
from outreach.errors import BadInput, BadRows, OutreachError
from outreach.keys import Keys
from outreach.models import Target, new_ref
from outreach.settings import Settings

ROWS_LIMIT = 20_000
_COLUMNS = frozenset(
    "name office email salutation language external_id per_hour per_day hours days zone".split()  # noqa: SIM905
)
_ALIASES = {"title": "office", "e-mail": "email", "email_address": "email", "locale": "language", "timezone": "zone"}
_PACE = ("per_hour", "per_day", "hours", "days", "zone")


@dataclass(frozen=True, slots=True)
class TakenRow:
    """What became of one row: "add", "change", "unchanged" or "bad", and why it is bad."""

    line: int
    action: str
    target: str
    reason: str = ""


def take_rows(
    session: Session, text: str, *, name: str, keys: Keys, settings: Settings, now: datetime, actor: str
) -> list[TakenRow]:
    """Bring the targets up to date with the file's rows, and say what became of each; nothing is kept of a bad one.

    BadRows for a file that is no such table. The caller commits, or rolls back what was only tried.
    """
    one_import_at_a_time(session)
    report = []
    for line, row in _rows(text, name):
        label = f"{row.get('office', '')} {row.get('name', '')}".strip()[:80]
        try:
            with session.begin_nested():
                action = _take(session, row, keys=keys, settings=settings, now=now, actor=actor)
        except (OutreachError, ValueError) as error:
            reason = f"{error.where}: {error.message}" if isinstance(error, OutreachError) else str(error)
            report.append(TakenRow(line, "bad", label, reason))
        else:
            report.append(TakenRow(line, action, label))
    return report


def _rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    rows = rows_of(text, name=name, limit=ROWS_LIMIT)
    line, head = next(rows, (1, []))
    columns = [_column(cell) for cell in head]
    if unknown := [column for column in columns if column not in _COLUMNS]:
        raise BadRows(
            f"There is no column {unknown[0][:40]!r}.",
            where=f"{name}:{line}",
            advice=f"Columns are: {', '.join(sorted(_COLUMNS))}.",
        )
    if len(set(columns)) < len(columns) or not {"name", "office"} & set(columns):
        raise BadRows(
            "The first line must name each column once, with name or office among them.",
            where=f"{name}:{line}",
            advice="For example: name,office,email",
        )
    for line, cells in rows:
        if len(cells) > len(columns):
            raise BadRows("The row has more cells than columns.", where=f"{name}:{line}")
        yield line, {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()}


def _column(cell: str) -> str:
    column = cell.strip().casefold().replace(" ", "_")
    return _ALIASES.get(column, column)


def _take(
    session: Session, row: Mapping[str, str], *, keys: Keys, settings: Settings, now: datetime, actor: str
) -> str:
    target = _of_external_id(session, row.get("external_id"))
    one = Addressee(
        one_line(row.get("name", target.name if target else ""), what="The name"),
        one_line(row.get("office", target.office if target else ""), what="The office"),
    )
    if not one.label:
        raise BadInput("The row names neither a person nor an office.", where="name")
    namesake = session.scalar(select(Target).where(Target.key == target_key(one.office, one.name)))
    if target is not None and namesake not in (None, target):
        raise BadInput("Another target has this name and office.", where="external_id")
    target = target or namesake
    is_new = target is None
    if target is None:
        target = Target(
            ref=new_ref(),
            key=target_key(one.office, one.name),
            name=one.name,
            office=one.office,
            salutation=one.salutation,
            created_at=now,
        )
        session.add(target)
    changed = _fill(target, row, one)
    session.flush()
    pace = targets.read_pace(**{name: row[name] for name in _PACE if name in row})
    if "email" in row:
        before = targets.email_contact(session, target)
        after = targets.set_contact(
            session, target, email=row["email"], keys=keys, settings=settings, now=now, actor=actor
        )
        changed |= before is None or before.id != after.id
    if pace:
        contact = targets.email_contact(session, target)
        lane = contact.lane if contact else None
        changed |= lane is None or any(getattr(lane, name) != value for name, value in pace.items())
        targets.set_pace(session, target, pace, now=now, actor=actor)
    return "add" if is_new else "change" if changed else "unchanged"


def _of_external_id(session: Session, external_id: str | None) -> Target | None:
    return session.scalar(select(Target).where(Target.external_id == one_line(external_id))) if external_id else None


def _fill(target: Target, row: Mapping[str, str], one: Addressee) -> bool:
    wanted = {"name": one.name, "office": one.office, "key": target_key(one.office, one.name)}
    wanted |= {name: one_line(row[name]) for name in ("salutation", "language", "external_id") if name in row}
    if "salutation" in wanted:
        wanted["salutation"] = wanted["salutation"].rstrip(" ,")  # the letter's header sets the comma
    elif target.salutation == Addressee(target.name, target.office).salutation:  # ours: it greets who is there now
        wanted["salutation"] = one.salutation
    changes = {column: value for column, value in wanted.items() if getattr(target, column) != value}
    for column, value in changes.items():
        setattr(target, column, value)
    return bool(changes)
