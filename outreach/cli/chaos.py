"""`outreach chaos`: the engine under fire for some minutes, and the tally. Everything it breaks is the tests' own, so
it runs in a checkout: `./run chaos --minutes 10 --seed 1`.
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer

from outreach.cli import base
from outreach.cli.base import Json
from outreach.errors import NotNow

Minutes = Annotated[float, typer.Option(min=0.1, max=1440, help="How long things go wrong.")]
Seed = Annotated[int, typer.Option(help="What goes wrong, and in which order.")]


def register(top: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    top.command()(chaos)


def chaos(minutes: Minutes = 10.0, seed: Seed = 1, as_json: Json = False) -> None:
    """Kill, stop and restart everything at random while letters leave; then count. The last line is the tally.

    Exit 1 when a letter was lost, doubled, changed, or arrived against the books.
    """
    told: list[str] = []
    tally = _run().run(minutes=minutes, seed=seed, told=told.append if as_json else base.err.print)
    base.emit(tally.as_json())
    if not tally.is_clean:
        for line in told:
            base.err.print(line, markup=False)
        raise typer.Exit(1)


def _run() -> Any:
    try:
        return importlib.import_module("tests.chaos.run")
    except ModuleNotFoundError as error:
        raise NotNow(
            f"It needs the tests' servers, and {error.name} is not here.",
            where="chaos",
            advice="Run it in a checkout: ./run chaos --minutes 10",
        ) from None
