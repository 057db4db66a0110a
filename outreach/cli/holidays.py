"""`outreach holidays …`: the days on which the offices of a calendar are closed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outreach import holidays
from outreach.cli import base, files
from outreach.cli.base import Json
from outreach.domain import pages
from outreach.errors import BadPage, BadRows

app = typer.Typer(help="Public holidays, by calendar.", no_args_is_help=True)

_LARGEST = 1_000_000


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Lines such as: 2026-12-25 Christmas Day")],
    calendar: Annotated[str, typer.Option("--calendar", metavar="NAME", help="Whose days they are, such as us.")],
    replace: Annotated[bool, typer.Option("--replace", help="Forget the calendar's other days.")] = False,
    as_json: Json = False,
) -> None:
    """Take days into a calendar: all lines or, when one cannot be read, none."""
    name = holidays.checked_calendar(calendar)
    days = holidays.read_days(_text(file))
    with base.engine() as engine, engine.db.begin() as session:
        taken = holidays.take_days(session, name, days, replace=replace, now=engine.now(), actor="cli")
    if as_json:
        base.emit({"calendar": name, "days": taken.days, "forgotten": taken.forgotten})
        return
    also = f", {taken.forgotten} forgotten" if taken.forgotten else ""
    base.out.print(f"{name}: {taken.days} days new or renamed{also}.", markup=False)


@app.command("list")
def list_(
    calendar: Annotated[str, typer.Option("--calendar", metavar="NAME", help="Only this one.")] = "",
    as_json: Json = False,
) -> None:
    """Show the days that are kept."""
    name = holidays.checked_calendar(calendar) if calendar else ""
    with base.engine() as engine, engine.db.read() as session:
        rows = [
            {"calendar": row.calendar, "day": row.day.isoformat(), "name": row.name}
            for row in holidays.listing(session, name)
        ]
    if as_json:
        base.emit({"holidays": rows})
        return
    for row in rows:
        base.out.print(f"{row['calendar']}\t{row['day']}\t{row['name']}".rstrip(), markup=False)
    if not rows:
        base.out.print("No days yet: outreach holidays import FILE --calendar us", markup=False)


def _text(path: Path) -> str:
    try:
        return pages.decode(files.read(path, largest=_LARGEST), name=str(path))
    except BadPage as error:
        raise BadRows(error.message, where=error.where, advice="Save it as plain text in UTF-8.") from None
