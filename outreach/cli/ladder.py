"""`outreach ladder …`: follow-up sequences, step by step."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import func, select

from outreach import campaigns, ladders
from outreach.cli import base
from outreach.cli.base import Json
from outreach.domain.ladders import StepState, Trigger
from outreach.errors import BadInput, NotFound
from outreach.ladders.building import find
from outreach.models import Ladder, Rung, Step

app = typer.Typer(help="Follow-up sequences to signers.", no_args_is_help=True)

Slug = Annotated[str, typer.Option("--campaign", help="The campaign, by its slug.")]
Number = Annotated[int, typer.Argument(metavar="ID")]


@app.command("list")
def list_(campaign: Slug, as_json: Json = False) -> None:
    """Show a campaign's ladders, their rungs, and how many signers wait on each or were written to."""
    with base.engine() as engine, engine.db.read() as session:
        found = ladders.ladders_of(session, campaigns.find(session, campaign))
        counts = {
            (rung_id, state): n
            for rung_id, state, n in session.execute(
                select(Step.rung_id, Step.state, func.count())
                .join(Rung)
                .where(Rung.ladder_id.in_([ladder.id for ladder in found]))
                .group_by(Step.rung_id, Step.state)
            )
        }
        shown = [_shown(ladder, counts) for ladder in found]
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


def _shown(ladder: Ladder, counts: dict[tuple[int, StepState], int]) -> dict[str, Any]:
    return {
        "id": ladder.id,
        "name": ladder.name,
        "stopped": ladder.stopped_at is not None,
        "rungs": [
            {
                "id": rung.id,
                "trigger": rung.trigger.value,
                "wait_seconds": rung.wait_seconds,
                "at": rung.at_wall,
                "zone": rung.zone,
                "conditions": rung.conditions,
                "purpose": rung.purpose,
                "subject": rung.subject,
                "when": _when(rung),
                "ended": rung.ended_at is not None,
                **{state.value: counts.get((rung.id, state), 0) for state in StepState},
            }
            for rung in ladder.rungs
        ],
    }


def _when(rung: Rung) -> str:
    days, rest = divmod(rung.wait_seconds, 86_400)
    wait = f"{days} days" if days else f"{rest // 3600} hours" if rest >= 3600 else f"{rest // 60} minutes"
    then = f" at {rung.at_wall} {rung.zone}" if rung.at_wall else ""
    what = rung.trigger.replace("_", " ")
    return f"{wait} after {what}{then}" if rung.wait_seconds or then else f"on {what}"


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
