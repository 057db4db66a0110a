"""The signer's own page: what became of each letter, and the way back as long as there is one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.deliveries import EventState, MailClass, State
from outreach.errors import BadTemplate, NotNow
from outreach.keys import Keys
from outreach.models import Addressing, Campaign, Delivery, LetterVersion, Signature, SignatureState, Target

from . import agreements, links
from .confirm import letter_states, lock_signature
from .letters import campaign_fields, signer_fields, target_label, write_version

log = structlog.get_logger()

#: Letters that left or may have left: nobody can call these back.
_GONE = (State.SENDING, State.ACCEPTED, State.IN_DOUBT, State.GIVEN_UP)


@dataclass(frozen=True, slots=True)
class ReceiptLetter:
    """One letter and what became of it. `held_reason` is "" unless it is held: "no_contact", "wave", …"""

    target_label: str
    subject: str
    text: str
    state: State
    event_state: EventState | None
    accepted_at: datetime | None
    held_reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything a signer may see of their signature."""

    campaign_slug: str
    campaign_title: str
    name: str
    state: SignatureState
    confirmed_at: datetime | None
    withdrawn_at: datetime | None
    letters: tuple[ReceiptLetter, ...]
    can_withdraw: bool


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many letters were called off, and how many had left or may have left."""

    cancelled: int
    too_late: int


def receipt(session: Session, token: str, *, keys: Keys, now: datetime) -> Receipt:
    """What the receipt link stands for; changes nothing. NotFound for a link that was never sent."""
    link = links.find(session, token, links.RECEIPT)
    signature = session.get_one(Signature, link.signature_id)
    campaign = session.get_one(Campaign, signature.campaign_id)
    return Receipt(
        campaign.slug,
        campaign.title,
        signature.name,
        signature.state,
        signature.confirmed_at,
        signature.withdrawn_at,
        _letters(session, campaign, signature),
        can_withdraw=signature.state is SignatureState.CONFIRMED,
    )


def withdraw(session: Session, token: str, *, keys: Keys, now: datetime) -> Withdrawn:
    """Take the signature back and call off every letter that has not left; a second time changes nothing.

    NotFound for a link that was never sent; NotNow for a signature that never counted.
    """
    link = links.find(session, token, links.RECEIPT)
    signature = lock_signature(session, link)
    if signature.state is SignatureState.CONFIRMED:
        signature.state = SignatureState.WITHDRAWN
        signature.withdrawn_at = now
        called_off = outbox.cancel_letters(session, signature.id, reason="withdrawn", now=now, actor="signer")
        links.void_confirms(session, signature, now=now)
        agreements.end(session, signature, source="link", now=now)
        session.flush()
        log.info("withdrawn", signature=signature.id, too_late=called_off.too_late)
    elif signature.state is not SignatureState.WITHDRAWN:
        raise NotNow("There is nothing to withdraw.")
    return _outcome(session, signature)


def _outcome(session: Session, signature: Signature) -> Withdrawn:
    states = letter_states(session, signature)
    return Withdrawn(cancelled=states.count(State.CANCELLED), too_late=sum(state in _GONE for state in states))


def _letters(session: Session, campaign: Campaign, signature: Signature) -> tuple[ReceiptLetter, ...]:
    rows = session.execute(
        select(Delivery, Target, LetterVersion)
        .join(Target, Target.id == Delivery.target_id)
        .join(LetterVersion, LetterVersion.id == Delivery.version_id)
        .outerjoin(
            Addressing, (Addressing.campaign_id == Delivery.campaign_id) & (Addressing.target_id == Delivery.target_id)
        )
        .where(Delivery.signature_id == signature.id, Delivery.mail_class == MailClass.LETTER)
        .order_by(Addressing.position, Delivery.id)
    ).all()
    signer, campaign_part = signer_fields(signature), campaign_fields(session, campaign)
    found = []
    for delivery, target, version in rows:
        try:
            shown = write_version(version, target, signer, campaign_part)
            subject, text = shown.subject, shown.text
        except BadTemplate:
            subject, text = campaign.title, ""
        found.append(
            ReceiptLetter(
                target_label(target),
                subject,
                text,
                delivery.state,
                delivery.event_state,
                delivery.accepted_at,
                delivery.reason if delivery.state is State.HELD else "",
            )
        )
    return tuple(found)
