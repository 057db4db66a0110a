"""Asking signers to confirm: once more, or who was not asked when they signed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.addresses import address_key
from outreach.domain.deliveries import MailClass
from outreach.domain.suspects import UNMAILED
from outreach.keys import Keys
from outreach.models import Campaign, Delivery, Signature, SignatureState, Supporter
from outreach.settings import Settings
from outreach.suppression import is_suppressed

from . import links
from .forms import clean_address
from .sign import confirmations_today, just_written_to


def ask_if_never_asked(
    session: Session, signature: Signature, *, keys: Keys, settings: Settings, now: datetime
) -> bool:
    """Queue the confirmation mail of a pending signature that had none, within what its address may get in a day."""
    if was_asked(session, signature):
        return False
    return _ask(session, signature, keys=keys, settings=settings, now=now)


def ask_again(session: Session, slug: str, address: str, *, keys: Keys, settings: Settings, now: datetime) -> None:
    """Mail the link once more to whoever waits under this address, if it may be written to again already.

    Nothing tells whether anybody does, so that what a page says afterwards is the same for every address.
    """
    try:
        address_hash = keys.address_hash(address_key(clean_address(address)))
    except ValueError:  # whoever typed it was no person
        return
    signature = session.scalar(
        select(Signature)
        .join(Supporter, Supporter.id == Signature.supporter_id)
        .join(Campaign, Campaign.id == Signature.campaign_id)
        .where(Campaign.slug == slug, Supporter.address_hash == address_hash)
        .where(Signature.state == SignatureState.PENDING, Signature.suspect.not_in(UNMAILED))
        .order_by(Signature.id.desc())
        .limit(1)
        .with_for_update(of=Signature, key_share=True)
    )
    if signature is None or just_written_to(session, signature, now):
        return
    if is_suppressed(session, address_hash, scopes=("all", f"campaign:{signature.campaign_id}")):
        return
    _ask(session, signature, keys=keys, settings=settings, now=now)


def _ask(session: Session, signature: Signature, *, keys: Keys, settings: Settings, now: datetime) -> bool:
    """Queue a confirmation mail; False when the address or the signature has had all it may have."""
    today = confirmations_today(session, [signature.supporter_id], now)[signature.supporter_id]
    if today >= settings.confirmations_per_day:
        return False
    links.issue_confirm(session, signature, keys=keys, now=now)
    asked = outbox.enqueue_notice(session, signature, links.CONFIRM, mail_class=MailClass.CONFIRMATION, now=now)
    return asked is not None


def was_asked(session: Session, signature: Signature) -> bool:
    """Whether a confirmation mail was ever written for it."""
    mine = exists().where(Delivery.signature_id == signature.id, Delivery.mail_class == MailClass.CONFIRMATION)
    return bool(session.scalar(select(mine)))
