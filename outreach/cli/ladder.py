"""`outreach ladder …`: follow-up sequences, step by step."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from outreach import campaigns, dashboards, ladders
from outreach.cli import base
from outreach.cli.base import Json
from outreach.domain.ladders import Trigger
from outreach.errors import BadInput, NotFound
from outreach.ladders.building import find
from outreach.models import Rung

app = typer.Typer(help="Follow-up sequences to signers.", no_args_is_help=True)

Slug = Annotated[str, typer.Option("--campaign", help="The campaign, by its slug.")]
Number = Annotated[int, typer.Argument(metavar="ID")]


@app.command("list")
def list_(campaign: Slug, as_json: Json = False) -> None:
    """Show a campaign's ladders, their rungs, and how many signers wait on each or were written to."""
    with base.engine() as engine, engine.db.read() as session:
        rows = dashboards.follow_ups(session, campaigns.find(session, campaign))
        shown = [_shown(row) for row in rows]
    if as_json:
        base.emit({"ladders": shown})
        return
    for ladder in shown:
        base.out.print(f"{ladder['id']}  {ladder['name']}{'  (stopped)' if ladder['stopped'] else ''}", markup=False)
        for rung in ladder["rungs"]:
            ended = "  (ended)" if rung["ended"] else ""
            numbers = f"{rung['waiting']} waiting, {rung['sent']} sent, {rung['skipped']} skipped"
            base.out.print(f"   {rung['id']}  {rung['when']}: {rung['subject']}  [{numbers}]{ended}", markup=False)
    if not shown:
        base.out.print("No ladders yet: the first is built when the campaign is published and the engine runs.")


def _shown(ladder: dashboards.LadderRow) -> dict[str, Any]:
    return {
        "id": ladder.id,
        "name": ladder.name,
        "stopped": ladder.stopped_at is not None,
        "rungs": [
            {
                "id": row.rung.id,
                "trigger": row.rung.trigger.value,
                "wait_seconds": row.rung.wait_seconds,
                "at": row.rung.at_wall,
                "zone": row.rung.zone,
                "conditions": row.rung.conditions,
                "purpose": row.rung.purpose,
                "subject": row.rung.subject,
                "when": row.when,
                "ended": row.rung.ended_at is not None,
                **{state.value: n for state, n in row.counts.items()},
            }
            for row in ladder.rungs
        ],
    }


@app.command()
def build(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    campaign: Slug,
    as_json: Json = False,
) -> None:
    """Begin a new ladder without rungs."""
    with base.engine() as engine, engine.db.begin() as session:
        ladder = ladders.build(session, campaigns.find(session, campaign), name, now=engine.now(), actor="cli")
        _say(ladder.id, f"Ladder {ladder.id} is there. Add rungs: outreach ladder add {ladder.id} …", as_json=as_json)


@app.command()
def add(
    ladder: Number,
    trigger: Annotated[Trigger, typer.Option("--trigger", help="What puts a signer on this rung.")],
    subject: Annotated[str, typer.Option("--subject")],
    body: Annotated[Path, typer.Option("--body-file", help="A text file; merge fields as in mailings.")],
    days: Annotated[float, typer.Option("--days", min=0, help="How long after the trigger.")] = 0,
    at: Annotated[str, typer.Option("--at", help="Then at the next such time of day, such as 18:30.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="The time zone of --at.")] = "UTC",
    unless: Annotated[
        list[str] | None, typer.Option("--unless", help="shared or answered: who did gets nothing. May be repeated.")
    ] = None,
    purpose: Annotated[
        str, typer.Option("--purpose", help="updates: only who agreed to them; it can be stopped.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Add a rung. It is for what happens from now on."""
    try:
        words = body.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{body} cannot be read ({type(error).__name__}).", where="--body-file") from None
    new = ladders.NewRung(
        trigger,
        subject,
        words,
        wait=timedelta(days=days),
        at=at,
        zone=zone,
        conditions={f"not_{word}": True for word in unless or []},
        purpose=purpose,
    )
    ladders.check(new)
    with base.engine() as engine, engine.db.begin() as session:
        rung = ladders.add_rung(session, find(session, ladder), new, now=engine.now(), actor="cli")
        _say(rung.id, f"Rung {rung.id} is there.", as_json=as_json)


@app.command()
def end(rung: Number, as_json: Json = False) -> None:
    """Put nobody on a rung any more; who waits on it still gets its mail."""
    with base.engine() as engine, engine.db.begin() as session:
        found = session.get(Rung, rung)
        if found is None:
            raise NotFound("There is no rung with this number.", where=str(rung), advice="See `outreach ladder list`.")
        ladders.end_rung(session, found, now=engine.now(), actor="cli")
        _say(rung, f"Rung {rung} has ended.", as_json=as_json)


@app.command()
def stop(ladder: Number, as_json: Json = False) -> None:
    """Stop a ladder: who waits on it gets nothing."""
    with base.engine() as engine, engine.db.begin() as session:
        ladders.stop(session, find(session, ladder), now=engine.now(), actor="cli")
        _say(ladder, f"Ladder {ladder} is stopped.", as_json=as_json)


def _say(id_: int, words: str, *, as_json: bool) -> None:
    if as_json:
        base.emit({"id": id_})
    else:
        base.out.print(words, markup=False)
