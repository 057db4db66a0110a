"""`outreach audit`: do the books balance?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from outreach import audit as books
from outreach import campaigns
from outreach.cli import base
from outreach.cli.base import Json

#: More problems than this are counted, not listed, unless a machine asks.
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    app.command("audit")(audit)


def audit(
    campaign: Annotated[str | None, typer.Option(help="Only this campaign's slug.")] = None, as_json: Json = False
) -> None:
    """Prove that every sum adds up and that the ledger says what really left; exit 1 if anything is off."""
    with base.engine() as engine, engine.db.read() as session:
        found = campaigns.find(session, campaign) if campaign else None
        result = books.audit(session, engine.settings, campaign_id=found.id if found else None)
    if as_json:
        base.emit(as_dict(result))
    else:
        show(result)
    if not result.balanced:
        raise typer.Exit(1)


def as_dict(result: books.Audit) -> dict[str, Any]:
    """The shape machines get."""
    return {
        "balanced": result.balanced,
        "total": result.total,
        "states": result.states,
        "campaigns": [{"slug": s.name, **asdict(s)} for s in result.campaigns],
        "waves": [asdict(s) for s in result.waves],
        "transport": asdict(result.transport),
        "problems": [asdict(p) for p in result.problems],
    }


def show(result: books.Audit) -> None:
    """The shape people get: a table of sums, what the other side says, and every problem in a line."""
    table = Table("", "total", title="Deliveries by state", title_justify="left")
    used = [state for state, n in result.states.items() if n]
    for state in used:
        table.add_column(state.replace("_", " "), justify="right")
    for sum_ in result.campaigns:
        table.add_row(sum_.name, f"{sum_.total:,}", *(f"{sum_.states[state]:,}" for state in used))
    table.add_row("all", f"{result.total:,}", *(f"{result.states[state]:,}" for state in used), style="bold")
    base.out.print(table)
    seen = result.transport
    if seen.source == "none":
        base.out.print("No provider has reported yet, so the ledger was compared with itself only.")
    else:
        place = "in the mailbox" if seen.source == "mailbox" else "in the provider's reports"
        base.out.print(
            f"{seen.seen:,} deliveries {place}: {seen.missing} missing, {seen.doubled} doubled, "
            f"{seen.unknown} unknown, {seen.wrong_content} with other words than confirmed."
        )
    for problem in result.problems[:_SHOWN]:
        base.out.print(f"  {problem.kind}: {problem.delivery} {problem.detail}", markup=False)
    if len(result.problems) > _SHOWN:
        base.out.print(f"  … and {len(result.problems) - _SHOWN:,} more; `--json` lists them all.")
    base.out.print("The books balance." if result.balanced else f"{len(result.problems):,} things are off.")
