"""A Maildir worked off: each mail in `new` is taken, then moved to `cur`. One that broke off is taken again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from outreach.domain.mails import LARGEST, Unreadable
from outreach.errors import BadInput

from .taking import Kind

log = structlog.get_logger()

#: How many mails of which kind; "unreadable" among them.
Sorted = Counter[str]

#: What is left for people shows as unread in their mail program.
_SEEN, _UNSEEN = ":2,S", ":2,"


def take_all(folder: Path, take: Callable[[bytes], Kind]) -> Sorted:
    """Give each new mail to `take`, which commits what became of it. BadInput when `folder` is no Maildir."""
    new, cur = folder / "new", folder / "cur"
    if not new.is_dir() or not cur.is_dir():
        raise BadInput(
            "This is no Maildir.", where=str(folder), advice="Give the folder that holds “new”, “cur” and “tmp”."
        )
    sorted_ = Sorted()
    for path in _waiting(new):
        try:
            with path.open("rb") as file:
                octets = file.read(LARGEST + 1)
        except FileNotFoundError:  # another run has it
            continue
        try:
            kind: str = take(octets)
        except Unreadable as error:
            kind = "unreadable"
            log.warning("inbound_unreadable", why=str(error))
        sorted_[kind] += 1
        flags = _UNSEEN if kind in (Kind.OTHER, "unreadable") else _SEEN
        with suppress(FileNotFoundError):
            os.rename(path, cur / (path.name.partition(":2,")[0] + flags))
    return sorted_


def _waiting(new: Path) -> Iterator[Path]:
    """The mails in `new` in the order in which they came."""
    names = [entry.name for entry in os.scandir(new) if not entry.name.startswith(".") and entry.is_file()]
    return (new / name for name in sorted(names))
