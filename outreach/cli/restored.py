"""`outreach restored`: after the database was restored from an older state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from outreach import people, restoring
from outreach.cli import base, files
from outreach.cli.base import Json
from outreach.errors import BadInput
from outreach.restoring import No, Restored, SaidAgain
from outreach.signers.rows import BYTES_LIMIT

#: Unknown mails that people are shown; `--json` has the newest hundred.
_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    app.command("restored")(restored)


def restored(
    noes: Annotated[
        list[Path] | None, typer.Option("--noes", help="Apply a file that `suppressions export` wrote.")
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Take the books as they are: mail leaves again.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="With --accept: how you know what was lost.")] = "",
    as_json: Json = False,
) -> None:
    """Stop everything after a restore, apply the noes of the time that is lost, and show what the provider has.

    Run it before anything else is started. Nothing leaves until --accept is given.
    """
    if accept and not reason.strip():
        raise BadInput("Say how you know what was lost.", where="--reason")
    said = [no for path in noes or [] for no in _read(path)]
    with base.engine() as engine:
        now = engine.now()
        with engine.db.begin() as session:
            if not accept:
                restoring.stop(session, actor="cli", now=now)
            again = restoring.say_again(session, said, actor="cli", now=now) if noes else SaidAgain(0, 0, 0)
            if accept:
                restoring.accept(session, actor="cli", reason=reason, now=now)
            state = restoring.look(session, now=now)
        people.clear(engine.db, engine.settings, now=now)
    if as_json:
        base.emit(_as_dict(state, again))
    else:
        _show(state, again)


def _read(path: Path) -> list[No]:
    content = files.read(path, largest=BYTES_LIMIT)
    return restoring.read_noes(content.decode("utf-8", "replace"), name=str(path))


def _as_dict(state: Restored, again: SaidAgain) -> dict[str, Any]:
    return {
        "stopped": state.since is not None,
        "since": state.since,
        "reason": state.reason,
        "unknown": state.unknown,
        "mails": [{"id": mail.delivery, "attempt": mail.attempt, "at": mail.at} for mail in state.mails],
        "due": state.due,
        "noes": again.noes,
        "suppressed": again.suppressed,
        "erased": again.erased,
    }


def _show(state: Restored, again: SaidAgain) -> None:
    if again.noes:
        base.out.print(f"{again.noes:,} noes: {again.suppressed:,} suppressed again, {again.erased:,} erased again.")
    base.out.print(f"The provider has {state.unknown:,} mails that the books do not know.")
    for mail in state.mails[:_SHOWN]:
        base.out.print(f"  {mail.at:%Y-%m-%d %H:%M} UTC  {mail.delivery}, attempt {mail.attempt}", markup=False)
    if state.since is None:
        base.out.print("Mail leaves again.")
        return
    base.out.print(f"Nothing leaves. {state.due:,} mails would leave at once; some of them may have left before.")
    base.out.print("When you know what was lost: outreach restored --accept --reason WHY")
