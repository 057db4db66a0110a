"""Taking a person out. Rows that the books and the counts need stay, with nothing personal in them.

What has not left is called off. What has left is anonymised: the office keeps its letter, we keep that there was one.
The keyed hash of the address stays as a suppression, so that the same person is not written to again because
somebody imports an old list.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, select, update
from sqlalchemy.orm import Session

from outreach import audit_log, outbox
from outreach.domain.deliveries import GONE, UNSENT, MailClass, State, called_off
from outreach.models import Attempt, Delivery, ProviderEvent, Reply, Signature, Supporter, Suppression, Token
from outreach.suppression import suppress

from . import leftovers
from .records import Person, deliveries_of, signatures_of

#: The reason of the suppression that stays, and of what was called off.
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Erased:
    """What erasing a person comes to."""

    signatures: int
    cancelled: int  #: mails that have not left and will not
    gone: int  #: letters that left or may have left; nobody can call them back
    links: int


def look(session: Session, person: Person) -> Erased:
    """What `erase` would come to. Changes nothing."""
    mine = select(Delivery.state, Delivery.mail_class).where(Delivery.id.in_(deliveries_of(person)))
    rows = session.execute(mine).all()
    signatures = select(func.count()).select_from(Signature).where(Signature.supporter_id == person.supporter_id)
    links = select(func.count()).select_from(Token).where(_links(person))
    return Erased(
        signatures=session.scalar(signatures) or 0,
        cancelled=sum(row.state in UNSENT for row in rows),
        gone=sum(row.mail_class is MailClass.LETTER and row.state in GONE for row in rows),
        links=session.scalar(links) or 0,
    )


def erase(
    session: Session,
    person: Person,
    *,
    actor: str,
    now: datetime,
    reason: str = ERASED,
    at_sendgrid: bool = False,
) -> Erased:
    """Erase a person in the caller's transaction; `leftovers.clear` after it removes what lies outside the database.

    With `at_sendgrid` what SendGrid keeps about them is erased as well.

    Doing it twice changes nothing more. Somebody nobody knows is still kept from being written to.
    """
    found = look(session, person)
    if not suppress(session, person.address_hash, scope="all", reason=ERASED, now=now):
        # It was suppressed before, for another reason; this one is what a restored backup is told again.
        mine = (Suppression.address_hash == person.address_hash) & (Suppression.scope == "all")
        session.execute(update(Suppression).where(mine).values(reason=ERASED))
    if person.supporter_id is not None:
        if at_sendgrid:
            known = select(Supporter.address).where(Supporter.id == person.supporter_id, Supporter.erased_at.is_(None))
            leftovers.note(session, leftovers.RECIPIENT, session.scalars(known), now=now)
        anonymise(session, person, actor=actor, now=now, reason=reason)
    audit_log.note(
        session,
        actor,
        "person.erase",
        f"address:{person.address_hash[:12]}",
        None,
        {"signatures": found.signatures, "cancelled": found.cancelled, "reason": reason},
        now=now,
    )
    return found


def anonymise(session: Session, person: Person, *, actor: str, now: datetime, reason: str) -> None:
    """Leave nothing personal of this supporter in any row."""
    supporter = session.get_one(Supporter, person.supporter_id, with_for_update=True, populate_existing=True)
    mine = Delivery.id.in_(deliveries_of(person))
    session.execute(select(Delivery.id).where(mine).order_by(Delivery.id).with_for_update())
    # Those without an attempt as well: books that were restored may not know of it.
    refs = select(Delivery.ref).where(mine).order_by(Delivery.id)
    leftovers.note(session, leftovers.MAIL, session.scalars(refs), now=now)
    with outbox.Books(session, now=now, actor=actor) as books:
        for state in UNSENT:
            for maybe_sent in (False, True):
                books.move_where(
                    mine & (Delivery.state == state) & (Delivery.maybe_sent == maybe_sent),
                    state,
                    called_off(State.CANCELLED, maybe_sent=maybe_sent),
                    reason=reason,
                )
    letters = deliveries_of(person)
    for change in (
        update(ProviderEvent)
        .where(ProviderEvent.delivery_id.in_(letters) | (ProviderEvent.address_hash == person.address_hash))
        .values(raw=None, reason="", address_hash=None),
        update(Attempt).where(Attempt.delivery_id.in_(letters)).values(detail=""),
        # Mails to the person themselves; a letter's hash is that of the office it goes to.
        update(Delivery).where(mine, Delivery.mail_class != MailClass.LETTER).values(address_hash=None),
        delete(Token).where(_links(person)),
        # What an office answered speaks to its signer by name; that it answered stays.
        update(Reply).where(Reply.signature_id.in_(signatures_of(person))).values(**_BLANK_REPLY),
        update(Signature).where(Signature.supporter_id == supporter.id).values(**BLANK),
    ):
        session.execute(change.execution_options(synchronize_session=False))
    supporter.address = supporter.address_key = supporter.address_hash = f"erased:{supporter.ref}"
    supporter.erased_at = supporter.erased_at or now
    session.flush()
    session.expire_all()


#: What signers wrote themselves.
WORDS = ("own_words", "own_subject", "own_body")
#: What of a signature is personal. A household's key is a name; those who share an address must still be told apart.
BLANK: dict[str, Any] = {
    **dict.fromkeys(("name", "city", "postal_code", *WORDS, "evidence", "network"), ""),
    "household_key": case((Signature.household_key == "", ""), else_=Signature.ref),
}
_BLANK_REPLY = {**dict.fromkeys(("subject", "text", "quoted", "share_text"), ""), "raw": None}


def _links(person: Person) -> ColumnElement[bool]:
    return (Token.supporter_id == person.supporter_id) | Token.signature_id.in_(signatures_of(person))
