"""`outreach replies …`: what offices answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from outreach import campaigns, replies
from outreach.cli import base
from outreach.cli.base import Json
from outreach.domain.replies import ReplyKind
from outreach.replies import ReplyRow

app = typer.Typer(help="What offices answered, and what became of it.", no_args_is_help=True)


@app.command("list")
def list_(
    campaign: Annotated[str | None, typer.Option("--campaign", metavar="SLUG", help="Of one campaign.")] = None,
    kind: Annotated[ReplyKind | None, typer.Option("--kind", help="Of one kind.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 100,
    as_json: Json = False,
) -> None:
    """The newest answers. As JSON, one object a line."""
    with base.engine() as engine, engine.db.read() as session:
        campaign_id = campaigns.find(session, campaign).id if campaign else None
        rows = replies.campaign_replies(session, campaign_id=campaign_id, kind=kind, limit=limit)
    for row in rows:
        if as_json:
            base.emit(_in_list(row))
        else:
            when = row.received_at.strftime("%Y-%m-%d %H:%M UTC")
            base.row(row.ref, when, row.kind, row.campaign, row.target_label, row.share_state)
    if not rows and not as_json:
        base.out.print("No answers.")


@app.command()
def show(
    ref: Annotated[str, typer.Argument(metavar="ID", help="As `outreach replies list` names it.")],
    as_json: Json = False,
) -> None:
    """One answer with its text."""
    with base.engine() as engine, engine.db.read() as session:
        row = replies.row_of(session, ref)
    if as_json:
        base.emit({**_in_list(row), "text": row.text, "quoted": row.quoted, "files": row.files, "sender": row.sender})
        return
    for label, value in (
        ("from", row.target_label),
        ("came", row.received_at.strftime("%Y-%m-%d %H:%M UTC")),
        ("kind", row.kind),
        ("letter", row.delivery),
        ("passed on", row.forward_state or "no"),
        ("on the page", row.share_state),
        ("files", ", ".join(row.files) or "none"),
    ):
        base.row(label, value)
    base.out.print(f"\n{row.text}" if row.text else "\n(no text)", markup=False)


def _in_list(row: ReplyRow) -> dict[str, Any]:
    """What machines get of an answer without its words."""
    hidden = ("text", "quoted", "files", "sender", "signer", "share_text")
    return {"id" if name == "ref" else name: value for name, value in asdict(row).items() if name not in hidden}
