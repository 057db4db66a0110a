"""The transport of tests and dry runs: keeps what it is given, and raises what it is told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock

from outreach.domain.messages import Message
from outreach.transports.base import Receipt, TransportError
from outreach.transports.checks import check

#: What happens to one message: a receipt, an error to raise, or a function that gives or raises either.
Outcome = Receipt | TransportError | Callable[[Message], Receipt]


class MemoryTransport:
    """Takes every message, unless outcomes are queued for the next ones; each is used up by one message.

    `offered` has every message in order, `sent` those that got a receipt. A NoAnswer leaves a message in `offered`
    only, whether or not a real provider would have taken it.
    """

    name = "memory"

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self.offered: list[Message] = []
        self.sent: list[Message] = []
        self.closed = False
        self._outcomes = deque(outcomes)
        self._lock = Lock()

    def answer(self, *outcomes: Outcome) -> None:
        """What the next messages meet, one outcome each."""
        with self._lock:
            self._outcomes.extend(outcomes)

    def send(self, message: Message) -> Receipt:
        """Keep the message, or raise what was asked for. Raises ValueError for a message no transport may carry."""
        check(message)
        with self._lock:
            self.offered.append(message)
            outcome = self._outcomes.popleft() if self._outcomes else Receipt(f"memory-{len(self.offered)}")
        if isinstance(outcome, TransportError):
            raise outcome
        receipt = outcome if isinstance(outcome, Receipt) else outcome(message)
        with self._lock:
            self.sent.append(message)
        return receipt

    def close(self) -> None:
        self.closed = True
