"""`outreach signatures …`: those that are set aside, and ending false ones."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from outreach import campaigns, moderation, wake
from outreach.cli import base
from outreach.cli.base import Json
from outreach.domain.deliveries import Stream
from outreach.domain.sieves import Sieve
from outreach.embedded import broker_url
from outreach.errors import BadInput

app = typer.Typer(help="Signatures that are set aside, and ending false ones.", no_args_is_help=True)

#: Seconds between two looks at what somebody else carries on.
_PATIENCE = 0.5

Why = Annotated[str, typer.Option("--why", help="For the audit log and everybody who looks.")]
Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"], metavar="2026-03-02T09:00+00:00")
]


@app.command()
def suspects(
    campaign: Annotated[str, typer.Option("--campaign", metavar="SLUG")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Only those set aside for this.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """Signatures that wait to be looked at, the newest first."""
    with base.engine() as engine, engine.db.read() as session:
        id_ = campaigns.find(session, campaign).id if campaign else None
        found = moderation.suspects(session, campaign_id=id_, reason=reason, limit=limit)
        counts = moderation.reasons(session)
    if as_json:
        base.emit({"reasons": counts, "signatures": [asdict(row) for row in found]})
        return
    for row in found:
        base.row(row.ref, row.suspect, row.campaign_slug, str(row.state), row.name, row.mail_domain)
    base.err.print(f"{sum(counts.values()):,} signatures are set aside.", markup=False)


@app.command()
def clear(
    refs: Annotated[list[str], typer.Argument(metavar="REF…", help="As `outreach signatures suspects` lists them.")],
    as_json: Json = False,
) -> None:
    """Count them after all, and let their letters go."""
    with base.engine() as engine:
        with engine.db.begin() as session:
            done = moderation.clear(
                session, refs, keys=engine.keys, settings=engine.settings, now=engine.now(), actor="cli"
            )
        wake.wake(broker_url(engine.settings), Stream.ACT, Stream.LETTERS)
    if as_json:
        base.emit(asdict(done))
    else:
        words = f"{done.signatures:,} cleared, {done.letters:,} letters queued, {done.asked:,} asked to confirm."
        base.out.print(words, markup=False)


@app.command()
def invalidate(
    campaign: Annotated[str, typer.Option("--campaign", metavar="SLUG")],
    why: Why,
    reason: Annotated[str, typer.Option("--reason", help="Set aside for this; `any` for whatever reason.")] = "",
    domain: Annotated[str, typer.Option("--domain", help="Mail domain of the addresses.")] = "",
    network: Annotated[str, typer.Option("--network", help="The hash that `suspects --json` names.")] = "",
    since: Moment = None,
    until: Moment = None,
    name: Annotated[str, typer.Option("--name", help="A pattern: * stands for anything.")] = "",
    same_words: Annotated[int, typer.Option("--same-words", help="Own words that at least so many share.")] = 0,
    ref: Annotated[list[str] | None, typer.Option("--ref", help="Chosen by ref; may be given again.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this it is only shown.")] = False,
    as_json: Json = False,
) -> None:
    """End signatures that have something in common. What has not left is called off; it can be taken back."""
    try:
        sieve = Sieve(reason, domain, network, since, until, name, same_words, tuple(ref or ()))
    except ValueError as error:
        raise BadInput(str(error)) from None
    with base.engine() as engine:
        with engine.db.read() as session:
            campaign_id = campaigns.find(session, campaign).id
            found = moderation.preview(session, campaign_id, sieve)
        told: dict[str, Any] = {"applied": apply, **asdict(found)}
        if apply:
            with engine.db.begin() as session:
                now = engine.now()
                made = moderation.start(session, campaign_id, sieve, reason=why, now=now, actor="cli")
                id_ = made.id
            told["invalidation"] = asdict(_carried(engine, id_))
    if as_json:
        base.emit(told)
        return
    for row in found.sample:
        base.row(row.ref, row.suspect, str(row.state), row.name, row.mail_domain)
    base.out.print(
        f"{found.total:,} signatures, {found.confirmed:,} of them confirmed; {found.unsent:,} mails not yet sent, "
        f"{found.gone:,} letters gone.",
        markup=False,
    )
    if apply:
        base.out.print(f"Ended. To take it back: outreach signatures undo {told['invalidation']['id']}", markup=False)
    else:
        base.out.print("Nothing was changed. Add --apply to do it.")


@app.command()
def undo(
    invalidation: Annotated[int, typer.Argument(metavar="NUMBER", help="As `invalidate` told it.")],
    as_json: Json = False,
) -> None:
    """Take an invalidation back as a whole. Letters that had left are gone; the others are as they were."""
    with base.engine() as engine:
        with engine.db.begin() as session:
            moderation.undo(session, invalidation, now=engine.now(), actor="cli")
        done = _carried(engine, invalidation)
        wake.wake(broker_url(engine.settings), Stream.ACT, Stream.LETTERS)
    if as_json:
        base.emit(asdict(done))
    else:
        stay = f" {done.stay:,} stay ended: erased, or signed again since." if done.stay else ""
        base.out.print(f"Taken back.{stay}", markup=False)


def _carried(engine: base.Engine, invalidation: int) -> moderation.Progress:
    """Carry it on to its end, here: a command is not done before its work is."""
    while True:
        carried = moderation.carry_on(engine.db, now=engine.now())
        with engine.db.read() as session:
            done = moderation.progress(session, invalidation)
        if not done.is_under_way:
            return done
        if not carried.ended and not carried.undone:  # in a worker's hands
            time.sleep(_PATIENCE)
