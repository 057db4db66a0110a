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
from outreach.transports.base import NoAnswer, NotOffered, Outcome, Refused, Simulated, Transport, Unavailable

log = structlog.get_logger()


class Hands:
    """Hands over the mails of one round at once, `width` at a time; used by one loop at a time."""

    def __init__(self, transport: Transport, *, width: int) -> None:
        self.transport = transport
        self._width = width
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="hand")

    def hand_over(self, mails: Sequence[tuple[Going, Message]], *, deadline: float) -> list[Answer]:
        """Offer each mail once; one answer each, whatever happens.

        A mail whose turn comes after `deadline` (monotonic seconds) is not offered at all: its lease may be over
        before the provider has answered, and somebody else may hold it by then.
        """
        waiting, answers, lock = list(reversed(mails)), [], Lock()

        def work() -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    going, message = waiting.pop()
                answer = Answer(going, self._offer(message, deadline))
                with lock:
                    answers.append(answer)

        # One mail needs no thread of its own to be waited for by this one.
        helpers = [self._pool.submit(work) for _ in range(min(self._width, len(mails)) - 1)]
        work()
        wait(helpers)
        return answers

    def _offer(self, message: Message, deadline: float) -> Outcome:
        if time.monotonic() > deadline:
            return NotOffered("too little of the lease was left to begin")
        try:
            receipt = self.transport.send(message)
            reached("after_accept")
            return receipt
        except (Refused, Simulated, Unavailable, NoAnswer) as error:
            return error
        except Exception as error:
            # A fault of ours, at a moment nobody can name: it may have left. The type says what, the text might
            # hold an address.
            log.error("transport_broke", transport=self.transport.name, error=type(error).__name__)
            return NoAnswer(f"the transport broke: {type(error).__name__}")

    def close(self) -> None:
        """End the threads and let go of connections."""
        self._pool.shutdown(wait=True)
        self.transport.close()
