"""`outreach targets …`: who is written to, where, and how much their mailbox bears."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from outreach import target_forms, target_rows, targets
from outreach.cli import base, files
from outreach.cli.base import Json
from outreach.domain import pages
from outreach.domain.deliveries import Stream
from outreach.embedded import broker_url
from outreach.errors import BadPage, BadRows
from outreach.wake import wake

app = typer.Typer(help="Targets: contacts, caps, office hours.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show all targets with their contact and pace."""
    with base.engine() as engine, engine.db.read() as session:
        rows = [_shown(one) for one in targets.listing(session)]
    if as_json:
        base.emit({"targets": rows})
        return
    if not rows:
        base.out.print("No targets yet. They come with a campaign: outreach campaign import FILE", markup=False)
    for row in rows:
        base.row(str(row["id"]), f"{row['office']} {row['name']}", *_way(row))


def _shown(one: targets.Reached) -> dict[str, Any]:
    lane = one.contact.lane if one.contact else None
    return {
        "id": one.target.id,
        "ref": one.target.ref,
        "name": one.target.name,
        "office": one.target.office,
        "salutation": one.target.salutation,
        "campaigns": list(one.campaigns),
        "email": one.contact.value if one.contact else None,
        "contact_state": one.contact.state.value if one.contact else None,
        "usable": one.is_usable,
        "held": one.held_because,
        "per_hour": lane.per_hour if lane else None,
        "per_day": lane.per_day if lane else None,
        "hours": (lane.hours or "always") if lane else None,
        "days": lane.days if lane else None,
        "zone": lane.zone if lane else one.target.zone,
        "holidays": (lane.calendar or None) if lane else None,
        "curve": lane.curve if lane else None,
        "bundle": lane.bundle if lane else False,
    }


def _way(row: dict[str, Any]) -> list[str]:
    """Its address and pace, and why its letters are held if they are."""
    held = [f"held: {row['held']}"] if row["held"] else []
    if row["email"] is None:
        return held
    hour, day = (f"{row[cap]} per {name}" if row[cap] else f"any per {name}" for cap, name in _CAPS)
    closed = f", holidays {row['holidays']}" if row["holidays"] else ""
    together = ", one bundle a day" if row["bundle"] else ""
    return [row["email"], f"{hour}, {day}, {row['hours']} {row['days']} {row['zone']}{closed}{together}", *held]


_CAPS = (("per_hour", "hour"), ("per_day", "day"))


@app.command("set")
def set_(
    target: Annotated[str, typer.Argument(metavar="ID", help="The target's number or ref.")],
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="Write to it here.")] = None,
    per_hour: Annotated[
        str | None, typer.Option("--per-hour", metavar="N|none", help="At most so many an hour.")
    ] = None,
    per_day: Annotated[str | None, typer.Option("--per-day", metavar="N|none", help="At most so many a day.")] = None,
    hours: Annotated[str | None, typer.Option("--hours", metavar="08:00-18:00|always", help="Office hours.")] = None,
    days: Annotated[str | None, typer.Option("--days", metavar="mon-fri|all", help="Office days.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", metavar="IANA", help="The office's time zone.")] = None,
    calendar: Annotated[
        str | None, typer.Option("--holidays", metavar="CALENDAR|none", help="Whose holidays the office keeps.")
    ] = None,
    curve: Annotated[
        str | None, typer.Option("--curve", metavar="W,W,…|flat", help="24 weights, one for each hour of its day.")
    ] = None,
    web_form: Annotated[
        str | None,
        typer.Option("--web-form", metavar="URL|none", help="Its web form, for an office that takes no mail."),
    ] = None,
    bundle: Annotated[
        str | None, typer.Option("--bundle", metavar="on|off", help="One mail a day with all its letters.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a target its mailbox, or change the mailbox's pace. Held letters go as soon as the pace allows."""
    limits = {"per_hour": per_hour, "per_day": per_day, "hours": hours, "days": days, "zone": zone}
    changes = targets.read_pace(**limits, calendar=calendar, curve=curve, bundle=bundle)
    form = None if web_form is None else target_forms.checked_form(web_form)
    if email is None and form is None and not changes:
        raise typer.BadParameter("Say what to set: --email, --per-hour, --per-day, --hours, or one of the others.")
    with base.engine() as engine:
        now = engine.now()
        with engine.db.begin() as session:
            found = targets.find(session, target)
            if email is not None:
                targets.set_contact(
                    session, found, email=email, keys=engine.keys, settings=engine.settings, now=now, actor="cli"
                )
            if form is not None:
                target_forms.set_form(session, found, form, now=now, actor="cli")
            if changes:
                targets.set_pace(session, found, changes, now=now, actor="cli")
            reached = targets.reach(session, found)
            lane = reached.contact.lane if reached.contact else None
            shown = _shown(reached) | {"web_form": target_forms.form_of(session, found)}
            shared = targets.sharing(session, lane) if lane else 1
        wake(broker_url(engine.settings), Stream.LETTERS)
    if as_json:
        base.emit({**shown, "shared_by": shared})
        return
    base.row(f"{shown['office']} {shown['name']}", *_way(shown))
    if shown["web_form"]:
        base.out.print(f"Its web form is {shown['web_form']}.", markup=False)
    if shared > 1:
        base.out.print(f"{shared} targets are reached by this mailbox and share its pace.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header: name,office,email,…")],
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without, only say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Take targets from a CSV file: all rows or, when one is bad, none."""
    content = files.read(file, largest=pages.MAX_BYTES)
    try:
        text = pages.decode(content, name=str(file))
    except BadPage as error:
        raise BadRows(error.message, where=error.where, advice="Save the table as CSV in UTF-8.") from None
    with base.engine() as engine, engine.db.begin() as session:
        trial = session.begin_nested()
        report = target_rows.take_rows(
            session,
            text,
            name=str(file),
            keys=engine.keys,
            settings=engine.settings,
            now=engine.now(),
            actor="cli",
        )
        bad = [row for row in report if row.action == "bad"]
        is_kept = apply and not bad
        if is_kept:
            trial.commit()
        else:
            trial.rollback()
    if as_json:
        base.emit({"rows": [asdict(row) for row in report], "applied": is_kept, "bad": len(bad)})
    else:
        _print_report(report, is_kept, bool(bad))
    if bad:
        raise typer.Exit(1)


def _print_report(report: list[target_rows.TakenRow], is_kept: bool, any_bad: bool) -> None:
    for row in report:
        reason = f"  {row.reason}" if row.reason else ""
        base.out.print(f"{row.line:5}  {row.action:9}  {row.target}{reason}", markup=False)
    if any_bad:
        base.out.print("Nothing was changed: correct the bad rows first.")
    elif is_kept:
        base.out.print("Done.")
    else:
        base.out.print("Nothing was changed yet. Do it with --apply.")
