"""What every transport promises: take one message, or raise an error whose *type* says what may be done next.

TransportError
├── Refused         never: this message will not be taken however often it is offered
├── Simulated       it was looked at and not sent, as the settings wish
├── Unavailable     not now: nothing was taken; try again after `retry_after`
│   ├── Ailing        the provider has trouble of its own; more of the same would not help it
│   ├── LockedOut     the provider takes nothing from us until a person has put something right
│   └── NotOffered    there was no time left, or no use, to offer it at all
└── NoAnswer        unknown: it may have been taken; nobody may simply send it again
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

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


class Simulated(TransportError):
    """The provider looked at this message and did not send it, as the settings wish."""


class Ailing(Unavailable):
    """The provider has trouble of its own (5xx). Once, that is this mail's bad luck; often, it needs a rest."""


class LockedOut(Unavailable):
    """The provider takes nothing from us, and time alone will not help: a refused key, a wrong host."""

    def __init__(self, detail: str, *, retry_after: timedelta) -> None:
        super().__init__(detail, retry_after=retry_after, whole=True)


class NotOffered(Unavailable):
    """It was not offered at all; the try does not count against the message."""


class NoAnswer(TransportError):
    """We do not know whether it was taken."""


#: What comes of offering one message.
Outcome = Receipt | Refused | Simulated | Unavailable | NoAnswer


class Transport(Protocol):
    """A way out. Used by several threads of one process at once; never shared across a fork."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> Receipt:
        """Hand over one message; return the receipt or raise a TransportError."""

    def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class BulkTransport(Transport, Protocol):
    """A way out that takes many straight messages (`Message.straight`) in one request."""

    @property
    def largest(self) -> int:
        """How many messages one request may carry."""

    def send_many(self, messages: Sequence[Message], *, deadline: float) -> list[Outcome]:
        """Offer straight messages of one key, each once; the outcomes in their order, and nothing raised.

        A request that would begin after `deadline` (monotonic seconds) is not made: its messages are NotOffered.
        """


_ADDRESS_LIKE = re.compile(r"[^\s<>(),;:\"']+@[^\s<>(),;:\"']*")


def masked(words: str, *, limit: int = 240) -> str:
    """A far server's words, fit for a `detail`: one line, capped, and whatever looks like an address replaced."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words[: limit * 4]).split())
    return _ADDRESS_LIKE.sub("…@…", line)[:limit]
