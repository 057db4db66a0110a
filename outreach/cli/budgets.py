"""`outreach budgets …`: what a stream, a mail domain or a wave may send, over all its mailboxes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from outreach import audit_log, outbox, targets
from outreach.cli import base
from outreach.cli.base import Json
from outreach.models import Budget

app = typer.Typer(help="Limits over many mailboxes.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="stream:letters, domain:example.gov, or wave:7.")]


@app.command("set")
def set_(
    key: Key,
    per_hour: Annotated[str | None, typer.Option("--per-hour", metavar="N|none", help="So many an hour.")] = None,
    per_day: Annotated[str | None, typer.Option("--per-day", metavar="N|none", help="So many a day.")] = None,
    hours: Annotated[str | None, typer.Option("--hours", metavar="08:00-18:00|always", help="Only then.")] = None,
    days: Annotated[str | None, typer.Option("--days", metavar="mon-fri|all", help="Only on these days.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", metavar="IANA", help="Whose hours and days.")] = None,
    curve: Annotated[str | None, typer.Option("--curve", metavar="W,W,…|flat", help="24 weights.")] = None,
    as_json: Json = False,
) -> None:
    """Set a limit, or change one: what is not named stays as it is. Holds from the next claim on."""
    changes = targets.read_pace(per_hour=per_hour, per_day=per_day, hours=hours, days=days, zone=zone, curve=curve)
    if not changes:
        raise typer.BadParameter("Say what to set: --per-hour, --per-day, --hours, --days, --zone or --curve.")
    with base.engine() as engine, engine.db.begin() as session:
        before = next((_limits(row) for row in outbox.budgets_set(session) if row.key == key), None)
        budget = outbox.set_budget(session, key, **{**(before or {}), **changes})
        shown = _limits(budget)
        audit_log.note(session, "cli", "budget.set", f"budget:{key}", before, shown, now=engine.now())
    if as_json:
        base.emit({"key": key, **shown})
    else:
        base.out.print(_line(key, shown), markup=False)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show all limits."""
    with base.engine() as engine, engine.db.read() as session:
        rows = [(row.key, _limits(row)) for row in outbox.budgets_set(session)]
    if as_json:
        base.emit({"budgets": [{"key": key, **limits} for key, limits in rows]})
        return
    for key, limits in rows:
        base.out.print(_line(key, limits), markup=False)
    if not rows:
        base.out.print("No budgets: only the caps of mailboxes hold.")


@app.command()
def drop(key: Key, as_json: Json = False) -> None:
    """Let go of a limit."""
    with base.engine() as engine, engine.db.begin() as session:
        outbox.drop_budget(session, key)
        audit_log.note(session, "cli", "budget.drop", f"budget:{key}", now=engine.now())
    if as_json:
        base.emit({"key": key, "dropped": True})
    else:
        base.out.print("It is gone.")


def _limits(row: Budget) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("per_hour", "per_day", "hours", "days", "zone", "curve")}


def _line(key: str, limits: dict[str, Any]) -> str:
    hour, day = (f"{limits[cap] or 'any'} per {name}" for cap, name in (("per_hour", "hour"), ("per_day", "day")))
    curve = ", busier and quieter hours" if limits["curve"] else ""
    return f"{key}\t{hour}, {day}, {limits['hours'] or 'always'} {limits['days']} {limits['zone']}{curve}"
