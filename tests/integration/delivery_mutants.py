"""The delivery machine with one protection switched off, in the real code: each must make it fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach import feedback
from outreach.domain.deliveries import NEXT, State
from outreach.domain.events import Event
from outreach.domain.messages import Message
from outreach.models import Delivery
from outreach.outbox import Books
from outreach.sending.hands import Hands
from outreach.transports.base import NoAnswer, Unavailable


@contextmanager
def mutated(name: str, machine: Any) -> Iterator[None]:
    """Run with the named protection taken out of the real code."""
    with _MUTATIONS[name](machine) if name else nullcontext():
        yield


@contextmanager
def _retry_on_timeout(machine: Any) -> Iterator[None]:
    honest = Hands._offer

    def offer(self: Hands, messages: Sequence[Message], deadline: float) -> Any:
        answers = honest(self, messages, deadline)
        return [Unavailable("timed out") if isinstance(answer, NoAnswer) else answer for answer in answers]

    with mock.patch.object(Hands, "_offer", offer):
        yield


@contextmanager
def _rescue_requeues_sending(machine: Any) -> Iterator[None]:
    honest = Books.move_where

    def move_where(self: Books, condition: Any, current: State, to: State, **more: Any) -> list[int]:
        if to is State.IN_DOUBT and "worker went away" in more.get("reason", ""):
            return honest(self, condition, current, State.QUEUED, reason="again")
        return honest(self, condition, current, to, **more)

    with mock.patch.object(Books, "move_where", move_where):
        yield


@contextmanager
def _no_intent(machine: Any) -> Iterator[None]:
    """The attempt is written down, but the delivery does not say that it may be leaving."""
    honest = Books.move

    def move(self: Books, ids: Any, current: State, to: State, **more: Any) -> list[int]:
        if to is State.SENDING:
            self.session.execute(
                Delivery.__table__.update()  # type: ignore[attr-defined]
                .where(Delivery.id.in_(ids))
                .values(attempts=Delivery.attempts + 1)
            )
            return list(ids)
        return honest(self, ids, State.CLAIMED if current is State.SENDING else current, to, **more)

    # Without the state in between, an answer must be allowed to end a claim.
    wider = {**NEXT, State.CLAIMED: NEXT[State.CLAIMED] | NEXT[State.SENDING]}
    with mock.patch.object(Books, "move", move), mock.patch("outreach.outbox.books.NEXT", wider):
        yield


@contextmanager
def _no_deadline(machine: Any) -> Iterator[None]:
    honest = Hands._offer
    with mock.patch.object(Hands, "_offer", lambda self, message, deadline: honest(self, message, float("inf"))):
        yield


@contextmanager
def _no_unique_key(machine: Any) -> Iterator[None]:
    with machine.db.begin() as session:
        session.execute(text("DROP INDEX uq_deliveries_mailing"))
    yield


@contextmanager
def _no_event_dedupe(machine: Any) -> Iterator[None]:
    def keep(session: Session, events: Sequence[Event], **more: Any) -> list[str]:
        feedback.keep(session, events, **more)
        return [event.id for event in events]

    with mock.patch("outreach.feedback.applying.keep", keep):
        yield


@contextmanager
def _no_event_ranking(machine: Any) -> Iterator[None]:
    with mock.patch("outreach.feedback.applying.climbs", return_value=True):
        yield


@contextmanager
def _forget_doubt(machine: Any) -> Iterator[None]:
    honest = Books.move_where

    def move_where(self: Books, condition: Any, current: State, to: State, **more: Any) -> list[int]:
        if to is State.IN_DOUBT:
            more["maybe_sent"] = False
        return honest(self, condition, current, to, **more)

    with mock.patch.object(Books, "move_where", move_where):
        yield


@contextmanager
def _no_fence(machine: Any) -> Iterator[None]:
    """A stale answer moves whatever it finds, in whoever's hands."""
    honest = Books.move

    def move(self: Books, ids: Any, current: State, to: State, **more: Any) -> list[int]:
        more["token"] = None
        return honest(self, ids, current, to, **more)

    with mock.patch.object(Books, "move", move):
        yield


_MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "retry_on_timeout": _retry_on_timeout,
    "rescue_requeues_sending": _rescue_requeues_sending,
    "no_intent": _no_intent,
    "no_deadline": _no_deadline,
    "no_unique_key": _no_unique_key,
    "no_event_dedupe": _no_event_dedupe,
    "no_event_ranking": _no_event_ranking,
    "forget_doubt": _forget_doubt,
    "no_fence": _no_fence,
}
MUTANTS = tuple(_MUTATIONS)
