"""`outreach signers …`: people who signed elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from outreach import signers, wake
from outreach.cli import base, files
from outreach.cli.base import Json
from outreach.domain.deliveries import Stream
from outreach.embedded import broker_url
from outreach.signers.rows import BYTES_LIMIT

app = typer.Typer(help="People who signed elsewhere.", no_args_is_help=True)

#: Problems that people are shown; machines get all of them.
_SCREENFUL = 20


@app.callback()
def _noun() -> None:
    """People who signed elsewhere."""
    # With one command and no callback, Typer would make `outreach signers FILE` of it.


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header; at least the columns name, email.")],
    campaign: Annotated[str, typer.Option("--campaign", metavar="SLUG", help="The campaign they signed.")],
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this it is only tried.")] = False,
    as_json: Json = False,
) -> None:
    """Take signers from a CSV file: with confirmed_at their letters are queued, without they are asked to confirm."""
    content = files.read(file, largest=BYTES_LIMIT)
    with base.engine() as engine:
        report = signers.import_signers(
            engine.db,
            content,
            campaign,
            name=str(file),
            apply=apply,
            keys=engine.keys,
            settings=engine.settings,
            now=engine.now(),
            actor="cli",
        )
        if apply and report.new:
            wake.wake(broker_url(engine.settings), Stream.ACT, Stream.LETTERS)
    if as_json:
        base.emit(asdict(report))
    else:
        _tell(report)


def _tell(report: signers.Report) -> None:
    def say(line: str) -> None:
        base.out.print(line, markup=False)

    for note in report.notes:
        base.err.print(f"Note: {note}", markup=False)
    for problem in report.problems[:_SCREENFUL]:
        say(f"line {problem.line}: {problem.reason}")
    if len(report.problems) > _SCREENFUL:
        say(f"… and {len(report.problems) - _SCREENFUL:,} more; --json names them all.")
    say(
        f"{report.rows:,} rows: {report.new:,} new, {report.already:,} already here, "
        f"{report.suppressed:,} suppressed, {report.invalid:,} invalid."
    )
    say(
        f"{report.queued_letters:,} letters queued, {report.held_letters:,} held, "
        f"{report.confirmations:,} confirmation mails queued."
    )
    if not report.applied:
        say("Nothing was changed. With --apply it is done.")
