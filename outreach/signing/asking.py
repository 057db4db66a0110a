"""Asking a signer to confirm who was not asked when they signed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.deliveries import MailClass
from outreach.keys import Keys
from outreach.models import Delivery, Signature
from outreach.settings import Settings

from . import links
from .sign import confirmations_today


def ask_if_never_asked(
    session: Session, signature: Signature, *, keys: Keys, settings: Settings, now: datetime
) -> bool:
    """Queue the confirmation mail of a pending signature that had none, within what its address may get in a day."""
    if was_asked(session, signature):
        return False
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
