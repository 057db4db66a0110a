"""`outreach doctor`: a look at everything, one line each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from outreach.cli import base
from outreach.cli.base import Json
from outreach.doctor import Finding, Verdict, examine
from outreach.doctor.machine import shown
from outreach.settings import Settings

_COLOURS = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def register(app: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    app.command()(doctor)


def doctor(
    online: Annotated[bool, typer.Option("--online", help="Also ask the provider whether it takes our key.")] = False,
    as_json: Json = False,
) -> None:
    """Look at settings, servers and sender domains, and say what to do. Exit 1 when something fails."""
    settings = Settings.from_env()
    findings = examine(settings, online=online)
    failed = any(f.verdict is Verdict.FAIL for f in findings)
    if as_json:
        base.emit({"ok": not failed, "settings": shown(settings), "findings": [asdict(f) for f in findings]})
    else:
        _show(settings, findings)
    raise typer.Exit(1 if failed else 0)


def _show(settings: Settings, findings: list[Finding]) -> None:
    values = Table(box=None, show_header=False, pad_edge=False)
    for name, value in shown(settings).items():
        values.add_row(name, Text(value))
    base.out.print(values)
    base.out.print()
    lines = Table(box=None, show_header=False, pad_edge=False)
    for f in findings:
        words = f"{f.seen} {f.advice}".strip()
        lines.add_row(Text(f.verdict, style=_COLOURS[f.verdict]), Text(f.about), Text(words))
    base.out.print(lines)
