"""`outreach …`: every noun's commands, mounted."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import NoReturn

import typer

from outreach import __version__, logs
from outreach.cli import base
from outreach.errors import OutreachError

app = typer.Typer(
    help="The outreach engine: letters that are confirmed, merged, paced and delivered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback would show addresses and keys
    rich_markup_mode=None,
)

#: noun → module with `app`; a module with `register(app)` adds top-level commands instead.
NOUNS = ("campaign", "targets", "signers", "letter", "deliveries", "suppressions", "user")
TOP = ("running", "doctor", "audit", "demo", "bench")


def _version(asked: bool) -> None:
    if asked:
        base.out.print(__version__)
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True)) -> None:
    """The outreach engine."""
    # To stderr, and only what is wrong: stdout belongs to the answer. Processes that stay set up their own.
    logs.set_up(level=logging.WARNING)


for _noun in NOUNS:
    app.add_typer(importlib.import_module(f"outreach.cli.{_noun}").app, name=_noun)
for _name in TOP:
    importlib.import_module(f"outreach.cli.{_name}").register(app)


def main() -> NoReturn:
    """Run the command line; every expected error ends as one line."""
    try:
        app(standalone_mode=True)
    except OutreachError as error:
        base.fail(error, as_json="--json" in sys.argv)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(0)
