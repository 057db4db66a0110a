"""`outreach …`: every noun's commands, mounted."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from outreach import __version__, logs
from outreach.cli import base
from outreach.errors import OutreachError

app = typer.Typer(
    help="The outreach engine: letters that are confirmed, merged, paced and delivered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback would show addresses and keys
    rich_markup_mode=None,
    context_settings={"max_content_width": 110},  # as wide as the terminal, and no wider than is read with ease
)

#: noun → module with `app`; a module with `register(app)` adds top-level commands instead.
NOUNS = (
    "campaign",
    "targets",
    "holidays",
    "budgets",
    "signers",
    "signatures",
    "language",
    "letter",
    "wave",
    "deliveries",
    "suppressions",
    "alerts",
    "transports",
    "ladder",
    "replies",
    "person",
    "user",
)
TOP = ("running", "doctor", "audit", "reconcile", "inbound", "retention", "restored", "demo", "bench", "chaos")


def _version(asked: bool) -> None:
    if asked:
        base.out.print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """The outreach engine."""
    # To stderr, and only what is wrong: stdout belongs to the answer. Processes that stay set up their own.
    logs.set_up(level=logging.WARNING)


for _noun in NOUNS:
    app.add_typer(importlib.import_module(f"outreach.cli.{_noun}").app, name=_noun)
for _name in TOP:
    importlib.import_module(f"outreach.cli.{_name}").register(app)


def main() -> NoReturn:
    """Run the command line; every expected error ends as one line, or as JSON where JSON was asked for."""
    as_json = "--json" in sys.argv
    try:
        # Standing alone, Typer says itself what is wrong with the usage, but to people only.
        code = app(standalone_mode=not as_json)
    except OutreachError as error:
        base.fail(error, as_json=as_json)
    except TyperException as error:
        base.fail(base.WrongUsage.of(error), as_json=as_json)
    except typer.Abort:  # a question was left unanswered
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(code or 0)
