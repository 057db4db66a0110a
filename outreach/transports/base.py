"""What every transport promises: take one message, or raise an error whose *type* says what may be done next.

TransportError
├── Refused       never: this message will not be taken however often it is offered
├── Unavailable   not now: nothing was taken; try again after `retry_after`
└── NoAnswer      unknown: it may have been taken; nobody may simply send it again
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from outreach.domain.messages import Message


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took the message. `provider_id` is its own name for it, or ""."""

    provider_id: str = ""


class TransportError(Exception):
    """Handing over failed. `detail` is for staff: no address, no letter text, at most 300 characters."""

    def __init__(self, detail: str) -> None:
        self.detail = detail[:300]
        super().__init__(self.detail)


class Refused(TransportError):
    """The provider will never take this message."""


class Unavailable(TransportError):
    """Not now; nothing was taken.

    `retry_after`: how long the provider asks us to wait, or None.
    `whole`: the provider as a whole is closed to us (429, wrong key, no connection), not just this message:
    nothing else should be offered before `retry_after`, and the try does not count against the message.
    """

    def __init__(self, detail: str, *, retry_after: timedelta | None = None, whole: bool = False) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.whole = whole


class NoAnswer(TransportError):
    """We do not know whether it was taken."""


class Transport(Protocol):
    """A way out. Used by several threads of one process at once; never shared across a fork."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> Receipt:
        """Hand over one message; return the receipt or raise a TransportError."""

    def close(self) -> None:
        """Let go of connections."""


_ADDRESS_LIKE = re.compile(r"[^\s<>(),;:\"']+@[^\s<>(),;:\"']*")


def masked(words: str, *, limit: int = 240) -> str:
    """A far server's words, fit for a `detail`: one line, capped, and whatever looks like an address replaced."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words[: limit * 4]).split())
    return _ADDRESS_LIKE.sub("…@…", line)[:limit]
