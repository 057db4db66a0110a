"""Handing over: a few threads that share one transport. Kept for the life of a worker process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock

import structlog

from outreach.domain.messages import Message
from outreach.faultpoints import reached
from outreach.outbox import Answer, Going
from outreach.transports.base import (
    BulkTransport,
    NoAnswer,
    NotOffered,
    Outcome,
    Refused,
    Simulated,
    Transport,
    Unavailable,
)

log = structlog.get_logger()

#: A mail whose attempt is committed.
Mail = tuple[Going, Message]


class Hands:
    """Hands over the mails of one round at once, `width` requests at a time; used by one loop at a time."""

    def __init__(self, transport: Transport, *, width: int) -> None:
        self.transport = transport
        self.width = width
        self._bulk = transport if isinstance(transport, BulkTransport) else None
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="hand")

    @property
    def largest(self) -> int:
        """How many straight messages one request may carry."""
        return self._bulk.largest if self._bulk else 1

    def hand_over(self, mails: Sequence[Mail], *, deadline: float) -> list[Answer]:
        """Offer each mail once; one answer each, whatever happens.

        Straight mails of one key go together where the transport can. A mail whose turn comes after `deadline`
        (monotonic seconds), or after an answer that closed the provider, is not offered at all: its lease may be over
        before the provider has answered, and somebody else may hold it by then.
        """
        requests, answers, lock = self._requests(mails), list[Answer](), Lock()
        closed = False

        def work() -> None:
            nonlocal closed
            while True:
                with lock:
                    if not requests:
                        return
                    request = requests.pop()
                    is_late = closed
                outcomes = _late(request) if is_late else self._offer([message for _, message in request], deadline)
                with lock:
                    answers.extend(Answer(going, o) for (going, _), o in zip(request, outcomes, strict=True))
                    closed = closed or any(isinstance(o, Unavailable) and o.whole for o in outcomes)

        # One request needs no thread of its own to be waited for by this one.
        helpers = [self._pool.submit(work) for _ in range(min(self.width, len(requests)) - 1)]
        work()
        wait(helpers)
        return answers

    def _requests(self, mails: Sequence[Mail]) -> list[list[Mail]]:
        """What goes together, the first last."""
        together: dict[str, list[Mail]] = {}
        requests: list[list[Mail]] = []
        for mail in mails:
            straight = mail[1].straight
            if self._bulk is None or straight is None:
                requests.append([mail])
                continue
            request = together.get(straight.key)
            if request is None or len(request) >= self._bulk.largest:
                request = together[straight.key] = []
                requests.append(request)
            request.append(mail)
        return requests[::-1]

    def _offer(self, messages: Sequence[Message], deadline: float) -> Sequence[Outcome]:
        if time.monotonic() > deadline:
            return [NotOffered("too little of the lease was left to begin")] * len(messages)
        try:
            if self._bulk is not None and len(messages) > 1:
                outcomes: Sequence[Outcome] = self._bulk.send_many(messages, deadline=deadline)
            else:
                outcomes = [self.transport.send(messages[0])]
            reached("after_accept")
            return outcomes
        except (Refused, Simulated, Unavailable, NoAnswer) as error:
            return [error]
        except Exception as error:
            # A fault of ours, at a moment nobody can name: it may have left. The type says what, the text might
            # hold an address.
            log.error("transport_broke", transport=self.transport.name, error=type(error).__name__)
            return [NoAnswer(f"the transport broke: {type(error).__name__}")] * len(messages)

    def close(self) -> None:
        """End the threads and let go of connections."""
        self._pool.shutdown(wait=True)
        self.transport.close()


def _late(request: Sequence[Mail]) -> list[Outcome]:
    return [NotOffered("the provider closed before its turn")] * len(request)
