"""`outreach deliveries …`: single mails, and what may be done about them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from outreach import campaigns, dashboards, outbox, wake
from outreach.cli import base
from outreach.cli.base import Json
from outreach.dashboards import DeliveryPage, DeliveryRow
from outreach.domain.deliveries import State
from outreach.embedded import broker_url
from outreach.models import Delivery

app = typer.Typer(help="Single mails: what became of them, and what may be done.", no_args_is_help=True)

Ref = Annotated[str, typer.Argument(metavar="ID", help="The id that `deliveries list` shows.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]

#: What people see without asking for more.
_SCREENFUL = 50


@app.command("list")
def list_(
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    campaign: Annotated[str | None, typer.Option("--campaign", metavar="SLUG", help="Only this campaign's.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    as_json: Json = False,
) -> None:
    """Show deliveries: the newest 50, or with --json all of them, one object a line."""
    with base.engine() as engine, engine.db.read() as session:
        campaign_id = campaigns.find(session, campaign).id if campaign else None
        if as_json:
            _stream(dashboards.every_delivery(session, state=state, campaign_id=campaign_id, limit=limit))
            return
        rows, more = dashboards.deliveries_page(
            session, state=state, campaign_id=campaign_id, limit=limit or _SCREENFUL
        )
    if not rows:
        base.out.print("No deliveries match." if state or campaign else "No deliveries yet.")
        return
    _table(rows)
    if more is not None:
        base.err.print(f"The newest {len(rows)}. See more with --limit N, or all with --json.")


def _stream(rows: Iterable[DeliveryRow]) -> None:
    try:
        for row in rows:
            base.emit(row.as_dict())
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head` has seen enough; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _table(rows: list[DeliveryRow]) -> None:
    lines = [
        (row.id, str(row.mail_class), _state(row), row.campaign, row.target_label, _at(row.due_at), row.reason)
        for row in rows
    ]
    if not base.out.is_terminal:
        for line in lines:
            base.row(*line)
        return
    table = Table("id", "class", "state", "campaign", "to", "due", "why", box=None, pad_edge=False)
    for line in lines:
        table.add_row(*(_plain(cell) for cell in line))
    base.out.print(table)


def _plain(text: str) -> str:
    # Square brackets are markup to Rich; reasons come from far servers.
    return text.replace("[", r"\[")


def _state(row: DeliveryRow) -> str:
    return f"{row.state} ({row.event_state})" if row.event_state else str(row.state)


def _at(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "-"


@app.command()
def show(ref: Ref, as_json: Json = False) -> None:
    """Show one delivery and all that happened to it."""
    with base.engine() as engine, engine.db.read() as session:
        page = dashboards.delivery_page(session, ref)
    if as_json:
        base.emit(_with_history(page))
    else:
        _tell(page)


def _with_history(page: DeliveryPage) -> dict[str, Any]:
    return {
        **page.row.as_dict(),
        "stream": str(page.row.stream),
        "to": page.to,
        "created_at": page.created_at,
        "resends": page.resends,
        "log": [{"at": m.at, "from": m.from_state, "to": m.to_state, "reason": m.reason, "by": m.by} for m in page.log],
        "tries": [
            {
                "number": a.number,
                "transport": a.transport,
                "started_at": a.started_at,
                "ended_at": a.ended_at,
                "outcome": a.outcome,
                "provider_id": a.provider_id,
                "detail": a.detail,
            }
            for a in page.attempts
        ],
        "reports": [{"at": r.at, "kind": str(r.kind), "attempt": r.attempt, "reason": r.reason} for r in page.reports],
        "anomalies": list(page.anomalies),
    }


def _tell(page: DeliveryPage) -> None:
    row = page.row

    def say(line: str) -> None:
        base.out.print(line, markup=False)

    say(f"{row.id}  {row.mail_class} of {row.campaign} to {page.to or 'nobody yet'}")
    say(f"{_state(row)}{', may have left' if row.maybe_sent else ''}{': ' + row.reason if row.reason else ''}")
    for move in page.log:
        began = f"{move.from_state} → " if move.from_state else ""
        say(f"  {_at(move.at)}  {began}{move.to_state}  {move.reason}  ({move.by})")
    for attempt in page.attempts:
        say(f"  {_at(attempt.started_at)}  attempt {attempt.number} by {attempt.transport}: "
            f"{attempt.outcome or 'in the air'} {attempt.provider_id} {attempt.detail}".rstrip())  # fmt: skip
    for report in page.reports:
        say(f"  {_at(report.at)}  the provider reports: {report.kind} {report.reason}".rstrip())
    for oddity in page.anomalies:
        say(f"  odd: {oddity}")


@app.command()
def hold(ref: Ref, reason: Reason = "", as_json: Json = False) -> None:
    """Keep a delivery from leaving until it is released."""
    _act(outbox.hold, ref, "is held", as_json=as_json, reason=reason)


@app.command()
def release(ref: Ref, as_json: Json = False) -> None:
    """Let a held delivery go."""
    _act(outbox.release, ref, "is queued", as_json=as_json, ring=True)


@app.command()
def cancel(ref: Ref, reason: Reason = "", as_json: Json = False) -> None:
    """Call a delivery off for good."""
    _act(outbox.cancel, ref, "is called off", as_json=as_json, reason=reason)


@app.command()
def resend(ref: Ref, reason: Reason = "", as_json: Json = False) -> None:
    """Send a delivery once more that is in doubt or dead. Whoever it goes to may get it twice."""
    _act(outbox.resend, ref, "is queued once more; it may arrive twice", as_json=as_json, ring=True, reason=reason)


def _act(verb: Callable[..., Delivery], ref: str, done: str, *, as_json: bool, ring: bool = False, **why: str) -> None:
    with base.engine() as engine:
        with engine.db.begin() as session:
            moved = verb(session, ref, actor="cli", now=engine.now(), **why)
        with engine.db.read() as session:
            page = dashboards.delivery_page(session, moved.ref)
        if ring:
            wake.wake(broker_url(engine.settings), moved.stream)
    if as_json:
        base.emit(page.row.as_dict())
    else:
        base.out.print(f"{page.row.id} {done}.", markup=False)
