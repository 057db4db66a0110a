"""`outreach inbound`: bounces, complaints, “no more, please” and answers, from a mail server's pipe or a Maildir."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from outreach import inbound
from outreach.cli import base
from outreach.cli.base import Engine, Json
from outreach.domain.mails import LARGEST, Unreadable
from outreach.errors import BadInput, OutreachError

#: What mail servers understand (sysexits.h): try again later; nobody here of that name.
_TRY_LATER, _NOT_FOR_US = os.EX_TEMPFAIL, os.EX_NOUSER

_TOLD = {
    inbound.Kind.BOUNCE: "bounces",
    inbound.Kind.COMPLAINT: "complaints",
    inbound.Kind.STOP: "unsubscribed",
    inbound.Kind.REPLY: "answers passed on",
    inbound.Kind.KEPT: "answers kept",
    inbound.Kind.DROPPED: "dropped",
    inbound.Kind.IGNORED: "ignored",
    inbound.Kind.OTHER: "left for people",
    "unreadable": "unreadable",
}


def register(app: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    app.command("inbound")(inbound_)


def inbound_(
    maildir: Annotated[Path | None, typer.Option("--maildir", help="Take every new mail of this Maildir.")] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="ADDRESS", help="Whom the mail server took it for.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take one mail from the standard input, or all new ones of a Maildir. Nothing is ever answered.

    From the standard input: exit 0 when it was taken, 67 when it is not for us, 75 when it should be offered again.
    """
    if maildir is None and sys.stdin.isatty():
        raise BadInput("No mail came in.", where="stdin", advice="Pipe a mail in, or give --maildir DIR.")
    if maildir is not None:
        with base.engine() as engine:
            _show(inbound.take_all(maildir, lambda octets: _take(engine, octets, [])), as_json=as_json)
        return
    octets = sys.stdin.buffer.read(LARGEST + 1)
    try:
        with base.engine() as engine:
            kind: str = _take(engine, octets, to or [])
    except OutreachError as error:  # whatever it is, the mail server should keep the mail
        base.err.print(f"outreach: {error}", markup=False)
        raise SystemExit(_TRY_LATER) from None
    except Unreadable:
        kind = "unreadable"
    _show(Counter([kind]), as_json=as_json)
    if kind == inbound.Kind.OTHER:
        raise SystemExit(_NOT_FOR_US)


def _take(engine: Engine, octets: bytes, to: list[str]) -> inbound.Kind:
    with engine.db.begin() as session:
        return inbound.take(session, octets, to=to, settings=engine.settings, keys=engine.keys, now=engine.now())


def _show(sorted_: Counter[str], *, as_json: bool) -> None:
    if as_json:
        base.emit({str(kind): sorted_[kind] for kind in _TOLD})
        return
    told = [f"{words}: {sorted_[kind]}" for kind, words in _TOLD.items() if sorted_[kind]]
    base.out.print(", ".join(told) or "No new mail.")
