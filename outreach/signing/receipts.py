"""The signer's own page: what became of each letter, and what may still be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.campaign_texts import title_of
from outreach.domain.consents import Purpose
from outreach.domain.deliveries import GONE, EventState, MailClass, State
from outreach.domain.own_mail import Compose, composes
from outreach.errors import BadTemplate
from outreach.keys import Keys
from outreach.models import (
    Addressing,
    Campaign,
    Channel,
    Delivery,
    LetterVersion,
    Reply,
    ReplyKind,
    SelfSend,
    ShareLink,
    Signature,
    SignatureState,
    Target,
)

from . import agreements, links
from .changing import can_change
from .letters import campaign_fields, signer_fields, target_label, write_version
from .own_letters import ways_to_reach


@dataclass(frozen=True, slots=True)
class ReceiptLetter:
    """One letter and what became of it. `held_reason` is "" unless it is held: "no_contact", "wave", …"""

    delivery: Delivery
    target_label: str
    subject: str
    text: str  #: "" once it was deleted, after it had been delivered
    language: str
    held_reason: str
    address: str  #: the office's, for a signer who may write to it themselves; else ""
    form_url: str  #: of the office's web form, where that is the only way to reach it
    self_sent: SelfSend | None
    was_forwarded: bool  #: an answer to it went on to its signer

    @property
    def target_id(self) -> int:
        assert self.delivery.target_id is not None  # noqa: S101 (a letter has a target)
        return self.delivery.target_id

    @property
    def state(self) -> State:
        return self.delivery.state

    @property
    def event_state(self) -> EventState | None:
        return self.delivery.event_state

    @property
    def event_at(self) -> datetime | None:
        return self.delivery.event_at

    @property
    def accepted_at(self) -> datetime | None:
        return self.delivery.accepted_at

    @property
    def replied_at(self) -> datetime | None:
        return self.delivery.replied_at

    @property
    def composes(self) -> tuple[Compose, ...]:
        """Links that open it in the signer's own mail; none where they may not write to the office themselves."""
        return composes(self.address, self.subject, self.text) if self.address else ()

    @property
    def has_left(self) -> bool:
        """Whether it left, or may have."""
        return self.state in GONE


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything a signer may see of their signature."""

    reference: str
    campaign_id: int
    campaign_slug: str
    campaign_title: str
    name: str
    language: str
    state: SignatureState
    is_suspect: bool  #: staff look at it before it counts
    confirmed_at: datetime | None
    withdrawn_at: datetime | None
    letters: tuple[ReceiptLetter, ...]
    can_withdraw: bool
    can_change: bool
    shows_name: bool  #: the signer's last word is that their name may be shown
    may_self_send: bool
    share: ShareLink | None
    is_high_risk: bool

    @property
    def is_counted(self) -> bool:
        return self.state is SignatureState.CONFIRMED and not self.is_suspect


def receipt(session: Session, token: str, *, keys: Keys, now: datetime) -> Receipt:
    """What the receipt link stands for; changes nothing. NotFound for a link that was never sent."""
    link = links.find(session, token, links.RECEIPT)
    signature = session.get_one(Signature, link.signature_id)
    campaign = session.get_one(Campaign, signature.campaign_id)
    letters = _letters(session, campaign, signature)
    is_confirmed = signature.state is SignatureState.CONFIRMED
    return Receipt(
        reference=signature.ref,
        campaign_id=campaign.id,
        campaign_slug=campaign.slug,
        campaign_title=title_of(session, campaign, signature.language),
        name=signature.name,
        language=signature.language,
        state=signature.state,
        is_suspect=bool(signature.suspect),
        confirmed_at=signature.confirmed_at,
        withdrawn_at=signature.withdrawn_at,
        letters=letters,
        can_withdraw=is_confirmed,
        can_change=can_change(signature, [letter.delivery for letter in letters]),
        shows_name=Purpose.SHOW_NAME in agreements.given_for(session, signature),
        may_self_send=campaign.self_send and is_confirmed,
        share=session.scalar(select(ShareLink).where(ShareLink.signature_id == signature.id)),
        is_high_risk=signature.high_risk,
    )


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
    reached = ways_to_reach(session, (target.id for _, target, _ in rows))
    mine = select(SelfSend).where(SelfSend.signature_id == signature.id)
    self_sent = {row.target_id: row for row in session.scalars(mine)}
    answers = Reply.signature_id == signature.id, Reply.kind == ReplyKind.HUMAN, Reply.forward_id.is_not(None)
    forwarded = set(session.scalars(select(Reply.delivery_id).where(*answers)))
    found = []
    for delivery, target, version in rows:
        try:
            shown = write_version(version, target, signer, campaign_part)
            subject, text = shown.subject, "" if signature.shredded_at else shown.text
        except BadTemplate:
            subject, text = campaign.title, ""
        ways = reached.get(target.id, {})
        found.append(
            ReceiptLetter(
                delivery,
                target_label(target),
                subject,
                text,
                campaign.language,
                delivery.reason if delivery.state is State.HELD else "",
                ways.get(Channel.EMAIL, "") if campaign.self_send else "",
                "" if Channel.EMAIL in ways else ways.get(Channel.WEBFORM, ""),
                self_sent.get(target.id),
                delivery.id in forwarded,
            )
        )
    return tuple(found)
