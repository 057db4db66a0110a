"""`outreach suppressions …`: addresses that must not be written to."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from outreach import audit_log, restoring, suppression
from outreach.cli import base, files
from outreach.cli.base import Json
from outreach.domain.addresses import address_key
from outreach.errors import BadInput, BadRows, NotFound
from outreach.models import Suppression
from outreach.signers.rows import BYTES_LIMIT
from outreach.signing.forms import clean_address

app = typer.Typer(help="Addresses that must not be written to.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(metavar="ADDRESS")]
Scope = Annotated[str, typer.Option("--scope", help="all, news, or campaign:7.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the entry and in the audit log.")]


class Action(StrEnum):
    """What became of one address."""

    ADDED = "added"
    ALREADY = "already"


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 1000,
    as_json: Json = False,
) -> None:
    """Show the entries. Addresses are kept as keyed hashes only: nobody can read them back."""
    with base.engine() as engine, engine.db.read() as session:
        rows = session.scalars(select(Suppression).order_by(Suppression.at.desc(), Suppression.id.desc()).limit(limit))
        entries = [_entry(row) for row in rows]
    if as_json:
        base.emit({"suppressions": entries})
        return
    for entry in entries:
        when = entry["at"].strftime("%Y-%m-%d %H:%M UTC")
        line = (entry["hash"][:12], entry["scope"], entry["reason"], when, entry["note"])
        base.out.print("  ".join(line).rstrip(), markup=False)
    if not entries:
        base.out.print("Nobody is suppressed.")


def _entry(row: Suppression) -> dict[str, Any]:
    return {"hash": row.address_hash, "scope": row.scope, "reason": row.reason, "note": row.note, "at": row.at}


@app.command()
def add(address: Address, reason: Reason = "staff", scope: Scope = "all", as_json: Json = False) -> None:
    """Write nothing more to an address."""
    _check_scope(scope)
    with base.engine() as engine:
        hash_, now = engine.keys.address_hash(_key(address)), engine.now()
        with engine.db.begin() as session:
            is_new = suppression.suppress(session, hash_, scope=scope, reason="staff", note=reason, now=now)
            if is_new:
                after = {"scope": scope, "reason": reason}
                audit_log.note(session, "cli", "suppression.add", f"address:{hash_[:12]}", None, after, now=now)
    action = Action.ADDED if is_new else Action.ALREADY
    if as_json:
        base.emit({"hash": hash_, "scope": scope, "action": action})
    else:
        base.out.print("It is suppressed now." if is_new else "It was suppressed already.")


@app.command()
def remove(
    address: Address,
    reason: Annotated[str, typer.Option("--reason", help="Who asked for it and how; kept in the audit log.")],
    scope: Scope = "all",
    as_json: Json = False,
) -> None:
    """Allow writing to an address again."""
    _check_scope(scope)
    if not reason.strip():
        raise BadInput("Say who asked for it, and how.", where="--reason")
    with base.engine() as engine:
        hash_, now = engine.keys.address_hash(_key(address)), engine.now()
        with engine.db.begin() as session:
            if not suppression.lift(session, hash_, scope=scope):
                raise NotFound(
                    f"It is not suppressed in the scope {scope}.",
                    where="ADDRESS",
                    advice="See `outreach suppressions list`; --scope names another one.",
                )
            before, after = {"scope": scope}, {"reason": reason}
            audit_log.note(session, "cli", "suppression.remove", f"address:{hash_[:12]}", before, after, now=now)
    if as_json:
        base.emit({"hash": hash_, "scope": scope, "action": "removed"})
    else:
        base.out.print("It may be written to again.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One address a line, or CSV with a column email.")],
    scope: Scope = "all",
    reason: Reason = "import",
    as_json: Json = False,
) -> None:
    """Write nothing more to any address in a file. Lines that hold none are named, and do not stop the others."""
    _check_scope(scope)
    lines = list(_addresses(files.read(file, largest=BYTES_LIMIT), str(file)))
    added, problems = 0, []
    with base.engine() as engine:
        now = engine.now()
        with engine.db.begin() as session:
            for line, typed in lines:
                try:
                    hash_ = engine.keys.address_hash(address_key(clean_address(typed)))
                except ValueError as error:
                    problems.append({"line": line, "reason": str(error)})
                    continue
                added += suppression.suppress(session, hash_, scope=scope, reason="import", note=reason, now=now)
            counts = {
                "rows": len(lines),
                "added": added,
                "already": len(lines) - added - len(problems),
                "invalid": len(problems),
            }
            after = {**counts, "scope": scope, "reason": reason}
            audit_log.note(session, "cli", "suppression.import", f"scope:{scope}", None, after, now=now)
    if as_json:
        base.emit({**counts, "problems": problems})
        return
    for problem in problems:
        base.out.print(f"line {problem['line']}: {problem['reason']}", markup=False)
    base.out.print(f"{added:,} added, {counts['already']:,} there already, {len(problems):,} invalid.")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the list goes; a new file.")],
    as_json: Json = False,
) -> None:
    """Write every entry to a file, to be kept apart from the database's backups: `outreach restored` reads it.

    Addresses stay keyed hashes; only an engine with the same secret key knows them again.
    """
    with base.engine() as engine, engine.db.read() as session:
        lines = [restoring.write_no(no) for no in restoring.noes(session)]
    try:
        with file.open("x", encoding="utf-8") as out:
            out.writelines(lines)
    except FileExistsError:
        # After a restore, the older file may be the only one that has what was said in the time that is lost.
        raise BadInput("The file is there already.", where=str(file), advice="Name a new one.") from None
    except OSError as error:
        raise BadInput(f"The file cannot be written: {error.strerror}.", where=str(file)) from None
    if as_json:
        base.emit({"file": str(file), "entries": len(lines)})
    else:
        base.out.print(f"{len(lines):,} entries are in {file}.", markup=False)


def _addresses(content: bytes, name: str) -> Iterator[tuple[int, str]]:
    """The line and text of each address: the column `email` if the first line names one, else every line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    heads = [head.strip().strip('"').casefold() for head in first.split(delimiter)]
    column = next((heads.index(head) for head in ("email", "address", "e-mail", "email_address") if head in heads), -1)
    if column < 0 and delimiter in first:
        raise BadRows("The first line names no column email.", where=f"{name}:1", advice="Name one of them email.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if (column >= 0 and reader.line_num == 1) or not any(cell.strip() for cell in cells):
                continue
            yield reader.line_num, cells[max(column, 0)] if len(cells) > max(column, 0) else ""
    except csv.Error as error:
        raise BadRows(f"This cannot be read as CSV: {error}.", where=f"{name}:{reader.line_num}") from None


def _key(typed: str) -> str:
    try:
        return address_key(clean_address(typed))
    except ValueError as error:
        raise BadInput(str(error), where="ADDRESS") from None


def _check_scope(scope: str) -> None:
    if not re.fullmatch(r"all|news|campaign:\d{1,18}", scope):
        raise BadInput("This is no scope.", where="--scope", advice="Write all, news, or campaign:7.")
