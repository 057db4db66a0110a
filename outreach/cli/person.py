"""`outreach person …`: everything we hold about somebody, and the end of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from outreach import audit_log, people
from outreach.cli import base
from outreach.cli.base import Json
from outreach.errors import BadInput
from outreach.faultpoints import reached
from outreach.signing.forms import clean_address

app = typer.Typer(help="A person's rights: what we hold about them, and its end.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(metavar="ADDRESS")]


@app.command()
def export(
    address: Address,
    folder: Annotated[
        Path | None, typer.Option("--to", help="A folder for one CSV file per table, and the JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give out every row about one person: letters, mails, reports, consents, suppressions."""
    with base.engine() as engine, engine.db.begin() as session:
        person = people.find(session, _checked(address), keys=engine.keys)
        tables = people.export(session, person)
        audit_log.note(session, "cli", "person.export", f"address:{person.address_hash[:12]}", now=engine.now())
    if folder is not None:
        _write(folder, tables)
    if as_json or folder is None:
        base.emit({"tables": tables})
    else:
        rows = sum(map(len, tables.values()))
        base.out.print(f"{rows} rows of {len(tables)} tables are in {folder}.", markup=False)


@app.command()
def erase(
    address: Address,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this it is only shown.")] = False,
    as_json: Json = False,
) -> None:
    """Take a person out of every table and file. Shows what would happen unless --apply is given."""
    with base.engine() as engine:
        checked = _checked(address)
        with engine.db.begin() as session:
            person = people.find(session, checked, keys=engine.keys)
            if apply:
                at_sendgrid = engine.settings.uses_sendgrid
                done = people.erase(session, person, actor="cli", now=engine.now(), at_sendgrid=at_sendgrid)
            else:
                done = people.look(session, person)
        reached("after_erase")
        cleared = people.clear(engine.db, engine.settings, now=engine.now()) if apply else people.Cleared()
    if as_json:
        told = {"signatures": done.signatures, "cancelled": done.cancelled, "gone": done.gone, "links": done.links}
        told |= {"files": cleared.files, "left": cleared.left}
        base.emit({"applied": apply, "known": person.supporter_id is not None, **told})
        return
    if person.supporter_id is None:
        base.out.print("Nobody with this address is known here.")
    verb = "" if apply else "would be "
    base.out.print(f"{done.signatures} signatures {verb}made nameless, {done.links} links {verb}ended.")
    base.out.print(
        f"{done.cancelled} mails that have not left {verb}called off; {done.gone} letters have left already."
    )
    if apply:
        copies = "1 copy of a mail was" if cleared.files == 1 else f"{cleared.files:,} copies of mails were"
        base.out.print(f"{copies} taken out of the mailbox folder. The address stays suppressed, as a hash.")
        if cleared.recipients:
            base.out.print("SendGrid has taken the job of erasing its own records.")
        if cleared.left:
            base.out.print(f"Traces outside the database that are left: {cleared.left}. The engine tries again.")
    else:
        base.out.print("Nothing was changed. Add --apply to do it.")


def _checked(address: str) -> str:
    try:
        return clean_address(address)
    except ValueError as error:
        raise BadInput(str(error), where="ADDRESS") from None


def _write(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "person.json").write_text(json.dumps(tables, ensure_ascii=False, indent=1) + "\n", "utf-8")
        for name, rows in tables.items():
            if rows:
                (folder / f"{name}.csv").write_text(_csv(rows), "utf-8")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written ({error.strerror}).", where="--to") from None


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
