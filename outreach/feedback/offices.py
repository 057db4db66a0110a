"""What reports say about the mailbox of an office.

A mailbox that takes no more mail is set aside and people are told; its letters wait for another one. No signer is
suppressed for it, and a full mailbox is no reason: the provider tries again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from outreach import alerts
from outreach.domain.deliveries import MailClass
from outreach.domain.events import HARD, Cause, EventKind
from outreach.models import Contact, ContactState, Delivery, ProviderEvent
from outreach.outbox import Books, follow_contact

_CLOSING = HARD | {Cause.COMPLAINED_BEFORE, Cause.UNSUBSCRIBED_BEFORE}
_SAYS_STOP = (EventKind.COMPLAINED, EventKind.UNSUBSCRIBED)


def mind_offices(books: Books, told: Iterable[tuple[ProviderEvent, Delivery | None]]) -> None:
    """Set aside each mailbox that these reports close, and hold its letters."""
    closed: dict[str, datetime] = {}
    for row, delivery in told:
        address_hash = _whose(row, delivery)
        if address_hash is not None and _closes(row):
            closed[address_hash] = max(row.at, closed.get(address_hash, row.at))
    if not closed:
        return
    contacts = books.session.scalars(
        select(Contact)
        .where(
            Contact.address_hash.in_(closed),
            Contact.ended_at.is_(None),
            Contact.state == ContactState.OK,
        )
        .order_by(Contact.id)
        .with_for_update()
    ).all()
    for contact in contacts:
        # One that was given again since has been thought about: an old report does not take it back.
        if contact.created_at.replace(microsecond=0) <= closed[contact.address_hash or ""]:
            _set_aside(books, contact)


def _whose(row: ProviderEvent, delivery: Delivery | None) -> str | None:
    """The keyed hash of the office's mailbox the report may be about."""
    if delivery is not None:
        return delivery.address_hash if delivery.mail_class is MailClass.LETTER else None
    return row.address_hash if not row.ref and row.kind is EventKind.BOUNCED else None


def _closes(row: ProviderEvent) -> bool:
    if row.kind is EventKind.BOUNCED:
        return row.hard
    return row.kind in _SAYS_STOP or (row.kind is EventKind.DROPPED and row.cause in _CLOSING)


def _set_aside(books: Books, contact: Contact) -> None:
    contact.state = ContactState.FAILING
    books.session.flush()
    follow_contact(books, contact.target_id)
    words = (
        f"Target {contact.target_id} cannot be reached: its mailbox takes no more mail. "
        "Its letters are held until it has another address."
    )
    alerts.raise_alert(books.session, f"contact:{contact.id}", words, now=books.now)
