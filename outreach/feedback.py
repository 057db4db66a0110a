"""What providers report, applied: once per report, in any order, however late.

A report is evidence. It settles a mail that was in doubt, raises `event_state` and never lowers it, and closes
addresses that bounced or complained. A report that contradicts the books is kept as an anomaly for people to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, climbs
from outreach.domain.events import STATES, Event, EventKind
from outreach.models import Attempt, Contact, ContactState, Delivery, ProviderEvent
from outreach.outbox import Books, accept_evidence, contact_changed
from outreach.suppression import suppress


@dataclass(frozen=True, slots=True)
class Applied:
    """How many reports were new, known already, or not about any mail of ours."""

    new: int
    repeated: int
    foreign: int


def apply(session: Session, events: Iterable[Event], *, env: str, now: datetime) -> Applied:
    """Apply a batch of reports in the caller's transaction."""
    ours = [event for event in events if event.env in (None, env)]
    known = _deliveries(session, {event.delivery for event in ours if event.delivery})
    new = _store(session, ours, known, now)
    # In the order of rank, the end state would be the same in any: but a mail reads better when it was accepted first.
    told = [(event, known[event.delivery]) for event in sorted(new, key=lambda e: e.at) if event.delivery in known]
    with Books(session, now=now, actor="provider") as books:  # one for all: its counters are taken in one order
        for event, delivery in told:
            _apply_one(session, books, event, delivery)
    for event, delivery in told:
        _mind_the_address(session, event, delivery, now)
    return Applied(
        new=len(new), repeated=len(ours) - len(new), foreign=sum(1 for e in ours if (e.delivery or "") not in known)
    )


def _deliveries(session: Session, refs: set[str]) -> dict[str, Delivery]:
    # Locked in one order, so that two batches about the same mails wait for each other instead of for ever.
    found = session.scalars(
        select(Delivery)
        .where(Delivery.ref.in_(refs))
        .order_by(Delivery.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {delivery.ref: delivery for delivery in found}


def _store(session: Session, events: Sequence[Event], known: dict[str, Delivery], now: datetime) -> list[Event]:
    """Keep each report once; those that are new."""
    by_id = {event.id: event for event in events}
    if not by_id:
        return []
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    rows = [
        {
            "id": event.id,
            "delivery_id": known[event.delivery].id if event.delivery in known else None,
            "attempt": event.attempt,
            "kind": event.kind,
            "at": event.at,
            "received_at": now,
            "reason": event.reason,
        }
        for event in by_id.values()
    ]
    stored = session.scalars(insert(ProviderEvent).on_conflict_do_nothing().returning(ProviderEvent.id), rows)
    return [by_id[id_] for id_ in stored]


def _apply_one(session: Session, books: Books, event: Event, delivery: Delivery) -> None:
    reported = STATES.get(event.kind)
    if reported is None:
        return
    accept_evidence(session, books, [delivery.id], books.now)
    session.refresh(delivery)
    if climbs(delivery.event_state, reported):
        delivery.event_state, delivery.event_at = reported, event.at
        session.flush()
    _settle_attempt(session, event, delivery, books.now)


def _settle_attempt(session: Session, event: Event, delivery: Delivery, now: datetime) -> None:
    """The report names the attempt that arrived; one whose answer we never saw is now known."""
    if event.attempt is not None:
        session.execute(
            update(Attempt)
            .where(
                Attempt.delivery_id == delivery.id,
                Attempt.number == event.attempt,
                Attempt.outcome.is_(None) | (Attempt.outcome == "unknown"),
            )
            .values(outcome="accepted", ended_at=now)
        )


def _mind_the_address(session: Session, event: Event, delivery: Delivery, now: datetime) -> None:
    """A signer's dead or unwilling address is closed; a target's is set aside, and its letters wait for a new one."""
    if delivery.mail_class is MailClass.LETTER:
        if event.kind is EventKind.BOUNCED and delivery.contact_id is not None:
            contact = session.get_one(Contact, delivery.contact_id)
            if contact.state is ContactState.OK and contact.ended_at is None:
                contact.state = ContactState.FAILING
                session.flush()
                contact_changed(session, contact.target_id, now=now, actor="provider")
        return
    if delivery.address_hash is None:
        return
    if event.kind in (EventKind.BOUNCED, EventKind.COMPLAINED):
        suppress(session, delivery.address_hash, reason=str(event.kind), now=now)
    elif event.kind is EventKind.UNSUBSCRIBED:
        suppress(session, delivery.address_hash, scope="news", reason="unsubscribed", now=now)
