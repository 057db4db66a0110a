"""New rows for the outbox. A row is committed together with what it stands for, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MAX_CONFIRMATIONS, UNSENT, MailClass, State, Stream
from outreach.keys import Keys, hash_of
from outreach.models import (
    Addressing,
    Campaign,
    Channel,
    Contact,
    ContactState,
    Delivery,
    Lane,
    Signature,
    Supporter,
    Wave,
    insert_into,
    new_ref,
)

from .books import Books

#: Why a letter is held, as its `reason`.
NO_CONTACT = "no_contact"
WAITS_FOR_WAVE = "wave"
#: Why one was called off whose office has it from its signer.
SELF_SENT = "self_sent"
SUSPECT = "suspect"  #: until staff have looked at its signature


@dataclass(frozen=True, slots=True)
class Queued:
    """What became of one signature's letters."""

    queued: int
    held: int


def enqueue_letters(
    session: Session,
    signature: Signature,
    content_hashes: Mapping[int, str],
    *,
    keys: Keys,
    now: datetime,
    actor: str = "engine",
) -> Queued:
    """One letter per target of the signature's campaign. Doing it twice makes nothing new.

    `content_hashes` maps each target id to the hash of the letter its signer confirmed. A target that may already
    have a letter from the same person in this campaign (signed, withdrawn, signed again) gets no second one.
    """
    return enqueue_letters_of(session, [(signature, content_hashes)], keys=keys, now=now, actor=actor)


def enqueue_letters_of(
    session: Session,
    asked: Sequence[tuple[Signature, Mapping[int, str]]],
    *,
    keys: Keys,
    now: datetime,
    actor: str = "engine",
) -> Queued:
    """The same for many signatures of one campaign, in the statements that one needs."""
    if not asked:
        return Queued(queued=0, held=0)
    signatures = [signature for signature, _ in asked]
    campaign = session.get_one(Campaign, signatures[0].campaign_id)
    standing = select(Wave.id).where(Wave.campaign_id == campaign.id, Wave.is_standing)
    wave_id = None if campaign.hold_for_waves else session.scalar(standing)
    served = _targets_served(session, signatures)
    contacts = usable_contacts(session, {target_id: None for _, hashes in asked for target_id in hashes})
    versions = _versions(session, campaign.id)
    rows = [
        _letter(signature, target_id, content_hash, campaign, contacts.get(target_id), keys)
        | {"wave_id": wave_id, "version_id": versions[target_id], "created_at": now, "due_at": now}
        for signature, content_hashes in asked
        for target_id, content_hash in sorted(content_hashes.items())
        if (signature.supporter_id, signature.household_key, target_id) not in served
    ]
    with Books(session, now=now, actor=actor) as books:
        added = books.add(rows)
    held = session.scalars(select(Delivery.id).where(Delivery.id.in_(added), Delivery.state == State.HELD)).all()
    return Queued(queued=len(added) - len(held), held=len(held))


def _letter(
    signature: Signature, target_id: int, content_hash: str, campaign: Campaign, contact: Contact | None, keys: Keys
) -> dict[str, Any]:
    reason = _reason_to_hold(signature, campaign, contact)
    ref = new_ref()
    return _row(
        ref=ref,
        mail_class=MailClass.LETTER,
        stream=Stream.LETTERS,
        state=State.HELD if reason else State.QUEUED,
        reason=reason,
        campaign_id=campaign.id,
        signature_id=signature.id,
        supporter_id=signature.supporter_id,
        target_id=target_id,
        **place_of(contact),
        reply_hash=hash_of(keys.alias(ref)),
        content_hash=content_hash,
    )


def _reason_to_hold(signature: Signature, campaign: Campaign, contact: Contact | None) -> str:
    if signature.suspect:
        return SUSPECT  # before the others, or a new contact or a wave would let it go
    if contact is None:
        return NO_CONTACT
    return WAITS_FOR_WAVE if campaign.hold_for_waves else ""


def _row(**values: Any) -> dict[str, Any]:
    """A new delivery's columns. All rows of one INSERT must name the same ones."""
    nothing_yet = {"purpose": "", "serial": 1, "attempts": 0, "tries": 0, "resends": 0, "maybe_sent": False}
    return {**nothing_yet, **values}


def _targets_served(session: Session, signatures: Sequence[Signature]) -> frozenset[tuple[int, str, int]]:
    """(supporter, name in the household, target) with a letter in this campaign that left or may have, or still may."""
    standing = (
        select(Signature.supporter_id, Signature.household_key, Delivery.target_id)
        .join(Signature, Signature.id == Delivery.signature_id)
        .where(
            Signature.supporter_id.in_([signature.supporter_id for signature in signatures]),
            Signature.campaign_id == signatures[0].campaign_id,
            Delivery.mail_class == MailClass.LETTER,
            or_(Delivery.state != State.CANCELLED, Delivery.maybe_sent, Delivery.reason == SELF_SENT),
        )
    )
    return frozenset((who, name, target) for who, name, target in session.execute(standing) if target is not None)


def usable_contacts(session: Session, target_ids: Mapping[int, Any]) -> dict[int, Contact]:
    """The email contact of each of these targets that has one in working order."""
    contacts = session.scalars(
        select(Contact).where(
            Contact.target_id.in_(list(target_ids)),
            Contact.channel == Channel.EMAIL,
            Contact.state == ContactState.OK,
            Contact.ended_at.is_(None),
        )
    )
    return {contact.target_id: contact for contact in contacts}


def _versions(session: Session, campaign_id: int) -> dict[int, int]:
    rows = session.execute(
        select(Addressing.target_id, Addressing.version_id).where(Addressing.campaign_id == campaign_id)
    )
    return dict(rows.all())


def enqueue_notice(
    session: Session,
    signature: Signature,
    purpose: str,
    *,
    mail_class: MailClass,
    now: datetime,
    is_first: bool = False,
) -> int | None:
    """A mail to a signer about their own act; its delivery id.

    A notice goes once per signature and purpose; a confirmation may be asked for again, with the next serial, and
    None says that the last one allowed has been used. `is_first` says that nothing of this purpose can be there yet.
    """
    added = enqueue_notices(session, [signature], purpose, mail_class=mail_class, now=now, are_first=is_first)
    return added[0] if added else None


def enqueue_notices(
    session: Session,
    signatures: Sequence[Signature],
    purpose: str,
    *,
    mail_class: MailClass,
    now: datetime,
    are_first: bool = False,
) -> list[int]:
    """The same for many signatures: the ids of the new deliveries."""
    if not signatures:
        return []
    last = {} if are_first else _last_serials(session, [signature.id for signature in signatures], purpose)
    lane = select(Lane.id).where(Lane.key == _stream_key(Stream.ACT)).scalar_subquery()
    people = session.execute(
        select(Supporter.id, Supporter.address_hash, lane).where(Supporter.id.in_([s.supporter_id for s in signatures]))
    ).all()
    address_hashes = {id_: address_hash for id_, address_hash, _ in people}
    lane_id = people[0][2] or stream_lane(session, Stream.ACT, now=now)
    rows = []
    for signature in signatures:
        serial = last.get(signature.id, 0) + 1 if mail_class is MailClass.CONFIRMATION else 1
        if serial > MAX_CONFIRMATIONS:
            continue
        rows.append(
            _row(
                ref=new_ref(),
                mail_class=mail_class,
                stream=Stream.ACT,
                purpose=purpose,
                serial=serial,
                state=State.QUEUED,
                reason="",
                campaign_id=signature.campaign_id,
                signature_id=signature.id,
                supporter_id=signature.supporter_id,
                lane_id=lane_id,
                address_hash=address_hashes[signature.supporter_id],
                created_at=now,
                due_at=now,
            )
        )
    with Books(session, now=now) as books:
        return books.add(rows)


def _last_serials(session: Session, signature_ids: Sequence[int], purpose: str) -> dict[int, int]:
    used = (
        select(Delivery.signature_id, func.max(Delivery.serial))
        .where(Delivery.signature_id.in_(signature_ids), Delivery.purpose == purpose)
        .group_by(Delivery.signature_id)
    )
    return {signature_id: serial for signature_id, serial in session.execute(used) if signature_id is not None}


def stream_lane(session: Session, stream: Stream, *, now: datetime) -> int:
    """The lane without caps that mails of a stream share when no mailbox sets their pace."""
    key = _stream_key(stream)
    found = session.scalar(select(Lane.id).where(Lane.key == key))
    if found is not None:
        return found
    session.execute(
        insert_into(session, Lane)
        .values(key=key, stream=stream, days="all", zone="UTC", opens_at=now)
        .on_conflict_do_nothing()
    )
    return session.execute(select(Lane.id).where(Lane.key == key)).scalar_one()


def _stream_key(stream: Stream) -> str:
    return f"stream:{stream}"


def contact_changed(session: Session, target_id: int, *, now: datetime, actor: str) -> int:
    """A target's way to be reached is new: move its unsent letters there; returns how many were let go.

    Letters held for want of a contact are queued. Letters in a worker's hands go back first: what the worker
    made of them names the old address.
    """
    with Books(session, now=now, actor=actor) as books:
        return follow_contact(books, target_id)


def follow_contact(books: Books, target_id: int) -> int:
    """The same in books that are open already."""
    session = books.session
    mine = (Delivery.target_id == target_id) & (Delivery.mail_class == MailClass.LETTER)
    # Locked first: a worker that claims or gives back meanwhile would slip past the statements below.
    session.execute(
        select(Delivery.id).where(mine & Delivery.state.in_(UNSENT)).order_by(Delivery.id).with_for_update()
    )
    contact = usable_contacts(session, {target_id: None}).get(target_id)
    place = place_of(contact)
    if contact is None:
        for state in (State.CLAIMED, State.QUEUED):
            books.move_where(mine & (Delivery.state == state), state, State.HELD, reason=NO_CONTACT, **place)
        return 0
    books.move_where(mine & (Delivery.state == State.CLAIMED), State.CLAIMED, State.QUEUED)
    _alter(session, mine & Delivery.state.in_([State.HELD, State.QUEUED]), **place)
    waiting = mine & (Delivery.state == State.HELD) & (Delivery.reason == NO_CONTACT)
    # A letter that a wave has released already needs no other one.
    holding = select(Campaign.id).where(Campaign.hold_for_waves)
    to_wave = Delivery.campaign_id.in_(holding) & Delivery.wave_id.is_(None)
    freed = books.move_where(waiting & ~to_wave, State.HELD, State.QUEUED)
    _alter(session, waiting & to_wave, reason=WAITS_FOR_WAVE)
    return len(freed)


def place_of(contact: Contact | None) -> dict[str, Any]:
    """The columns of a letter that say where it goes."""
    return {
        "contact_id": contact.id if contact else None,
        "lane_id": contact.lane_id if contact else None,
        "address_hash": contact.address_hash if contact else None,
    }


def _alter(session: Session, condition: Any, **values: Any) -> None:
    session.execute(update(Delivery).where(condition).values(**values).execution_options(synchronize_session=False))
