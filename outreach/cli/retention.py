"""`outreach retention`: end what has been kept long enough."""

from __future__ import annotations

from typing import Annotated

import typer

from outreach import people
from outreach.cli import base
from outreach.cli.base import Json


def register(app: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    app.command()(retention)


def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this it is only shown.")] = False,
    as_json: Json = False,
) -> None:
    """Show what has been kept long enough, and end it with --apply: exactly what is shown."""
    with base.engine() as engine, engine.db.begin() as session:
        now = engine.now()
        found = people.overdue(session, engine.settings, now=now)
        if apply:
            people.apply(session, found, actor="cli", now=now)
    if as_json:
        base.emit({"applied": apply, "rules": [{"rule": f.rule, "what": f.words, "ids": list(f.ids)} for f in found]})
        return
    for rows in found:
        base.out.print(f"{len(rows.ids):>8,}  {rows.words}", markup=False)
    base.out.print("Done." if apply else "Nothing was changed. Add --apply to do it.")
