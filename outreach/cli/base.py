"""What every command shares: settings and database opened once, numbers for people and JSON for machines, and
errors as one line that says where, what and what to do.

Exit 0 is done, 1 is "the answer is no", 2 is wrong usage or a wrong setting.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from typer.exceptions import TyperException

from outreach.errors import OutreachError, WrongSetting
from outreach.keys import Keys
from outreach.migrating import migrate, require_current
from outreach.models import Database
from outreach.settings import Settings

#: `--json` on every command: `def show(slug: str, as_json: Json = False)`.
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON, for machines.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Engine:
    """What a command works with."""

    settings: Settings
    db: Database
    keys: Keys

    def now(self) -> datetime:
        """The moment this command acts at, by the database. Doors read the clock; verbs are given the time."""
        return self.db.now()


@contextmanager
def engine(*, create: bool = True) -> Iterator[Engine]:
    """Settings, keys and database. An embedded database is made and migrated on first use."""
    settings = Settings.from_env()
    if settings.is_embedded:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    db = Database(settings.database)
    try:
        if settings.is_embedded and create:
            migrate(db)
        else:
            require_current(db)
        yield Engine(settings, db, Keys(settings.secret_key))
    finally:
        db.close()


def emit(value: Any) -> None:
    """One JSON value on stdout, on one line, at once: a program may be reading while `up` goes on for days."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def row(*cells: str) -> None:
    """One line of a list on stdout, its cells parted by tabs for `cut`. Rich would make spaces of the tabs."""
    sys.stdout.write("\t".join(" ".join(cell.split()) for cell in cells) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


class WrongUsage(OutreachError):
    """The command cannot be called like this."""

    code = "wrong_usage"

    @classmethod
    def of(cls, error: TyperException) -> WrongUsage:
        """What Typer has to say, as an error of ours; `where` is the command, as in "outreach campaign show"."""
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "outreach"
        return cls(error.format_message(), where=command, advice=f"See `{command} --help`.")


def fail(error: OutreachError, *, as_json: bool) -> NoReturn:
    """Print the error as one line (or as JSON on stdout) and end with 1, or 2 for a wrong setting or usage."""
    if as_json:
        emit({"error": error.as_dict()})
    else:
        err.print(f"outreach: {error}", markup=False)
    raise SystemExit(2 if isinstance(error, (WrongSetting, WrongUsage)) else 1)
