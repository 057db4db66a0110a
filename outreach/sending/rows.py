"""What parcels are made of: one query for each class of mail, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.consents import agreed
from outreach.domain.consents import Purpose
from outreach.domain.deliveries import MailClass
from outreach.models import (
    Addressing,
    Contact,
    Delivery,
    Mailing,
    Rung,
    Signature,
    Supporter,
    Target,
    Token,
    Wave,
)

#: Letters, with their signer and the contact they go to.
LETTERS = (
    select(
        Delivery.id,
        Delivery.ref,
        Delivery.attempts,
        Delivery.maybe_sent,
        Delivery.campaign_id,
        Delivery.version_id,
        Delivery.content_hash,
        Signature.name,
        Signature.city,
        Signature.postal_code,
        Signature.own_words,
        Signature.own_subject,
        Signature.own_body,
        Signature.confirmed_at,
        Signature.created_at,
        Target.name.label("target_name"),
        Target.office,
        Target.salutation,
        Contact.value.label("address"),
    )
    .join(Signature, Signature.id == Delivery.signature_id)
    .join(Target, Target.id == Delivery.target_id)
    .join(Contact, Contact.id == Delivery.contact_id)
    .where(Delivery.mail_class == MailClass.LETTER)
)


def direct_addresses(session: Session, ids: Sequence[int]) -> Mapping[int, str]:
    """By letter, the address of each signer who agreed that the target may have it. The ledger's last word counts."""
    if not ids:
        return {}
    found = (
        select(Delivery.id, Supporter.address)
        .join(Signature, Signature.id == Delivery.signature_id)
        .join(Supporter, Supporter.id == Signature.supporter_id)
        .where(
            Delivery.id.in_(ids),
            Supporter.erased_at.is_(None),
            Signature.high_risk.is_(False),
            agreed(Signature.supporter_id, Delivery.campaign_id, Purpose.SHARE_ADDRESS),
        )
    )
    return dict(session.execute(found).all())


#: Notices, with their signature and, for a confirmation, until when its link opens.
NOTICES = (
    select(
        Delivery.id,
        Delivery.ref,
        Delivery.attempts,
        Delivery.maybe_sent,
        Delivery.campaign_id,
        Delivery.purpose,
        Delivery.mail_class,
        Signature,
        Supporter.address,
        Supporter.ref.label("supporter_ref"),
        select(Token.expires_at)
        .where(Token.signature_id == Signature.id, Token.purpose == "confirm", Token.text_hash == Signature.text_hash)
        .order_by(Token.created_at.desc())
        .limit(1)
        .scalar_subquery()
        .label("expires_at"),
    )
    .join(Signature, Signature.id == Delivery.signature_id)
    .join(Supporter, Supporter.id == Delivery.supporter_id)
    .where(Delivery.mail_class.in_([MailClass.CONFIRMATION, MailClass.NOTICE]))
)


#: The signature a mailing greets its reader by: the newest one that was confirmed, in this campaign.
_NEWEST = (
    select(func.max(Signature.id))
    .where(
        Signature.supporter_id == Delivery.supporter_id,
        Signature.campaign_id == Delivery.campaign_id,
        Signature.is_counted,
    )
    .correlate(Delivery)
    .scalar_subquery()
)

#: Mailings, with their words and their reader; the signature is NULL once there is none any more.
MAILINGS = (
    select(
        Delivery.id,
        Delivery.ref,
        Delivery.attempts,
        Delivery.maybe_sent,
        Delivery.campaign_id,
        Delivery.wave_id,
        Mailing,
        Signature,
        Supporter.address,
        Supporter.ref.label("supporter_ref"),
    )
    .join(Wave, Wave.id == Delivery.wave_id)
    .join(Mailing, Mailing.id == Wave.mailing_id)
    .join(Supporter, Supporter.id == Delivery.supporter_id)
    .outerjoin(Signature, Signature.id == _NEWEST)
    .where(Delivery.mail_class == MailClass.MAILING)
)


def rungs_of(session: Session, purposes: Iterable[str]) -> Mapping[str, Rung]:
    """By a notice's purpose ("rung:7"), the rung whose words it says."""
    wanted = [int(purpose.removeprefix("rung:")) for purpose in purposes if purpose.startswith("rung:")]
    found = session.scalars(select(Rung).where(Rung.id.in_(wanted))).all() if wanted else []
    return {f"rung:{rung.id}": rung for rung in found}


def addressee(office: str, name: str) -> str:
    """ "Mayor Alex Rivera": whom a letter is addressed to."""
    return f"{office} {name}".strip()


def target_labels(session: Session, campaign_ids: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
    """Whom each campaign writes to, in its order."""
    labels: dict[int, tuple[str, ...]] = dict.fromkeys(campaign_ids, ())
    if not labels:
        return labels
    rows = session.execute(
        select(Addressing.campaign_id, Target.office, Target.name)
        .join(Target, Target.id == Addressing.target_id)
        .where(Addressing.campaign_id.in_(list(labels)))
        .order_by(Addressing.position, Addressing.id)
    )
    for campaign_id, office, name in rows:
        labels[campaign_id] += (addressee(office, name),)
    return labels
