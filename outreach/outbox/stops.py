"""What may have changed between the claim and the hand-over: looked at once more, for a whole round in a few queries.

No means no: a signer who withdrew, who is looked at by staff, or took back the consent to a mailing, an address that
was suppressed, a contact that was replaced or fails, an office that has closed meanwhile. Each has its own end; what
is still allowed is handed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.consents import agreed
from outreach.domain.deliveries import MailClass, State, Stream, called_off
from outreach.models import Contact, ContactState, Delivery, Lane, Mailing, Signature, SignatureState, Wave
from outreach.suppression import scopes_closed, scopes_of

from .books import Books
from .enqueue import NO_CONTACT, SUSPECT, place_of, usable_contacts
from .places import closed_days_of

if TYPE_CHECKING:
    from .claiming import Claim

_ENDED = (SignatureState.WITHDRAWN, SignatureState.INVALIDATED)


def still_allowed(session: Session, books: Books, held: Claim, ids: Sequence[int]) -> list[int]:
    """Those of the claimed `ids` that may be handed over now; the others have gone where they belong."""
    if not ids:
        return []
    rows = session.execute(_ROWS.where(Delivery.id.in_(ids))).all()
    suppressed = _suppressed(session, held.stream, rows)
    unwilling = _unwilling(session, [row.id for row in rows if row.mail_class is MailClass.MAILING])
    shut = _shut_lanes(session, {row.lane_id for row in rows}, books)
    going: list[int] = []
    misplaced: list[Any] = []
    for row in rows:
        is_letter = row.mail_class is MailClass.LETTER
        if row.signature in _ENDED or (is_letter and row.signature is not SignatureState.CONFIRMED):
            end = called_off(State.CANCELLED, maybe_sent=row.maybe_sent)
            books.move([row.id], State.CLAIMED, end, token=held.token, reason="withdrawn")
        elif is_letter and row.suspect:
            books.move([row.id], State.CLAIMED, State.HELD, token=held.token, reason=SUSPECT)
        elif row.id in suppressed or row.id in unwilling:
            end = called_off(State.SUPPRESSED, maybe_sent=row.maybe_sent)
            reason = "suppressed" if row.id in suppressed else "no_consent"
            books.move([row.id], State.CLAIMED, end, token=held.token, reason=reason)
        elif is_letter and (row.contact is not ContactState.OK or row.ended_at is not None):
            misplaced.append(row)
        elif row.lane_id in shut:
            books.move([row.id], State.CLAIMED, State.QUEUED, token=held.token)
        else:
            going.append(row.id)
    _place_anew(session, books, held, misplaced)
    return going


_ROWS = (
    select(
        Delivery.id,
        Delivery.mail_class,
        Delivery.address_hash,
        Delivery.campaign_id,
        Delivery.maybe_sent,
        Delivery.target_id,
        Delivery.lane_id,
        Signature.state.label("signature"),
        Signature.suspect,
        Contact.state.label("contact"),
        Contact.ended_at,
    )
    .outerjoin(Signature, Signature.id == Delivery.signature_id)
    .outerjoin(Contact, Contact.id == Delivery.contact_id)
)


def _suppressed(session: Session, stream: Stream, rows: Sequence[Any]) -> set[int]:
    scopes = scopes_of(session, stream, {row.campaign_id for row in rows})
    addresses = {row.address_hash for row in rows if row.address_hash}
    closed = scopes_closed(session, addresses, scopes=frozenset[str]().union(*scopes.values()))
    if not closed:
        return set()
    return {row.id for row in rows if any((row.address_hash, scope) in closed for scope in scopes[row.campaign_id])}


def _unwilling(session: Session, mailing_ids: Sequence[int]) -> frozenset[int]:
    """Mailings whose reader has not agreed to them, or not any more."""
    if not mailing_ids:
        return frozenset()
    does_agree = agreed(Delivery.supporter_id, Delivery.campaign_id, Mailing.purpose)
    unwilling = (
        select(Delivery.id)
        .join(Wave, Wave.id == Delivery.wave_id)
        .join(Mailing, Mailing.id == Wave.mailing_id)
        .where(Delivery.id.in_(mailing_ids), ~does_agree)
    )
    return frozenset(session.scalars(unwilling))


def _shut_lanes(session: Session, lane_ids: Iterable[int], books: Books) -> set[int]:
    """Lanes whose office has closed since the claim."""
    lanes = session.scalars(select(Lane).where(Lane.id.in_(list(lane_ids)))).all()
    closed = closed_days_of(session, lanes)
    hours = {lane.id: lane.pace_with(closed.get(lane.id, frozenset())).hours for lane in lanes}
    return {lane_id for lane_id, office in hours.items() if office is not None and not office.is_open(books.now)}


def _place_anew(session: Session, books: Books, held: Claim, rows: Sequence[Any]) -> None:
    """Letters made for a contact that is no longer good: to the target's present one, or held until there is one."""
    contacts = usable_contacts(session, {row.target_id: None for row in rows}) if rows else {}
    for row in rows:
        contact = contacts.get(row.target_id)
        to, reason = (State.QUEUED, "") if contact else (State.HELD, NO_CONTACT)
        books.move([row.id], State.CLAIMED, to, token=held.token, reason=reason, **place_of(contact))
