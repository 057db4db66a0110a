"""`outreach transports …`: the ways out, whether they take mail from us now, and trying a closed one at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from outreach import dashboards, outbox, wake
from outreach.cli import base
from outreach.cli.base import Json
from outreach.domain.deliveries import Stream
from outreach.embedded import broker_url

app = typer.Typer(help="The ways out: whether they take mail now.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show every way out that has ever closed, and until when it is."""
    with base.engine() as engine, engine.db.read() as session:
        rows = dashboards.providers_now(session, now=engine.now())
    if as_json:
        shown = ("transport", "closed_until", "reason", "strikes", "changed_at")
        base.emit({"transports": [{name: getattr(row, name) for name in shown} for row in rows]})
        return
    for row in rows:
        state = f"closed until {row.closed_until:%Y-%m-%d %H:%M:%S} UTC: {row.reason}" if row.closed_until else "open"
        sys.stdout.write(f"{row.transport}\t{state}\n")
    if not rows:
        base.out.print("None has closed yet.")


@app.command("try")
def try_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `transports list` shows it.")], as_json: Json = False
) -> None:
    """Try a closed one with the next mail, without waiting any longer. If it takes that mail, it is open."""
    with base.engine() as engine:
        with engine.db.begin() as session:
            outbox.try_now(session, name, actor="cli", now=engine.now())
        wake.wake(broker_url(engine.settings), *Stream)
    if as_json:
        base.emit({"transport": name, "tried": True})
    else:
        base.out.print("The next mail tries it.")
