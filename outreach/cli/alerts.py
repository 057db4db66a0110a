"""`outreach alerts …`: what is wrong now, and "seen, and done"."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from outreach import alerts, audit_log
from outreach.cli import base
from outreach.cli.base import Json
from outreach.errors import NotFound

app = typer.Typer(help="What people should know, until it is over.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show what is wrong now, oldest first."""
    with base.engine() as engine, engine.db.read() as session:
        standing = [{"key": a.key, "message": a.message, "since": a.opened_at} for a in alerts.standing(session)]
    if as_json:
        base.emit({"alerts": standing})
        return
    for alert in standing:
        sys.stdout.write(f"{alert['key']}\t{alert['since']:%Y-%m-%d %H:%M} UTC\t{alert['message']}\n")
    if not standing:
        base.out.print("Nothing is wrong.")


@app.command()
def close(
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `alerts list` shows it.")], as_json: Json = False
) -> None:
    """Say that it was seen and dealt with. If it is still so, it will be told again."""
    with base.engine() as engine, engine.db.begin() as session:
        now = engine.now()
        if not alerts.close_alert(session, key, by="cli", now=now):
            raise NotFound("No alert of this name stands open.", where=key[:80], advice="See `outreach alerts list`.")
        audit_log.note(session, "cli", "alert.close", f"alert:{key}", None, None, now=now)
    if as_json:
        base.emit({"key": key, "closed": True})
    else:
        base.out.print("Closed.")
