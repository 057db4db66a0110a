"""Mails in any state with their books, answers to them, and what keeps mail from leaving."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, State, Stream
from outreach.keys import Keys
from outreach.models import (
    Addressing,
    Brake,
    Campaign,
    Channel,
    Contact,
    Counter,
    Delivery,
    LogEntry,
    Reply,
    ReplyKind,
    Signature,
    Supporter,
    Suppression,
    Target,
    new_ref,
)

from .base import KEYS, NOON, added, hash_address
from .campaigns import standing_wave, targets_of
from .offices import stream_lane


def delivery(
    session: Session,
    signature: Signature,
    target: Target | None = None,
    *,
    state: State = State.QUEUED,
    mail_class: MailClass = MailClass.LETTER,
    purpose: str = "",
    serial: int = 1,
    reason: str = "",
    now: datetime = NOON,
    **columns: Any,
) -> Delivery:
    """One delivery in any state, its log entry and its counter, so that the books balance.

    A letter goes to `target`, or the campaign's first one; a confirmation or notice to the signer by the act lane.
    """
    if mail_class is MailClass.LETTER:
        columns = _letter_columns(session, signature, target, now) | columns
    else:
        columns = {
            "stream": Stream.ACT,
            "supporter_id": signature.supporter_id,
            "lane_id": stream_lane(session, Stream.ACT, now=now).id,
            "address_hash": session.get_one(Supporter, signature.supporter_id).address_hash,
        } | columns
    if state in (State.CLAIMED, State.SENDING):
        columns = {"claim_token": new_ref(), "claimed_until": now + timedelta(minutes=2)} | columns
    row = Delivery(
        ref=new_ref(),
        mail_class=mail_class,
        purpose=purpose,
        serial=serial,
        state=state,
        reason=reason,
        campaign_id=signature.campaign_id,
        signature_id=signature.id,
        **({"created_at": now, "due_at": now} | columns),
    )
    added(session, row)
    session.add(LogEntry(delivery_id=row.id, at=now, from_state=None, to_state=state, reason=reason, actor="test"))
    count(session, row)
    return row


def _letter_columns(session: Session, signature: Signature, target: Target | None, now: datetime) -> dict[str, Any]:
    campaign = session.get_one(Campaign, signature.campaign_id)
    target = target or targets_of(session, campaign)[0]
    version_id = session.scalar(
        select(Addressing.version_id).where(
            Addressing.campaign_id == signature.campaign_id, Addressing.target_id == target.id
        )
    )
    reached = session.scalar(
        select(Contact).where(
            Contact.target_id == target.id, Contact.channel == Channel.EMAIL, Contact.ended_at.is_(None)
        )
    )
    return {
        "stream": Stream.LETTERS,
        "supporter_id": signature.supporter_id,
        "wave_id": None if campaign.hold_for_waves else standing_wave(session, campaign, now=now).id,
        "target_id": target.id,
        "version_id": version_id,
        "contact_id": reached.id if reached else None,
        "lane_id": reached.lane_id if reached else None,
        "address_hash": reached.address_hash if reached else None,
        "content_hash": sha256(f"{signature.ref}:{target.id}".encode()).hexdigest(),
    }


def reply(session: Session, letter: Delivery, *, now: datetime = NOON, **columns: Any) -> Reply:
    """A person's answer to a letter, which nobody was told of."""
    given = {"kind": ReplyKind.HUMAN, "subject": "Re: a letter", "text": "Yes, we will.", "raw": b"Subject: x\n\nYes."}
    row = Reply(
        ref=new_ref(),
        digest=new_ref(),
        delivery_id=letter.id,
        signature_id=letter.signature_id,
        campaign_id=letter.campaign_id,
        received_at=now,
        **(given | columns),
    )
    return added(session, row)


def count(session: Session, delivery: Delivery, n: int = 1) -> None:
    """Adjust the counter of the delivery's campaign, wave, class and state."""
    key = (delivery.campaign_id, delivery.wave_id or 0, delivery.mail_class, delivery.state, 0)
    row = session.get(Counter, key)
    if row is None:
        row = Counter(campaign_id=key[0], wave_id=key[1], mail_class=key[2], state=key[3], shard=0, n=0)
        session.add(row)
    row.n += n
    session.flush()


def suppression(
    session: Session,
    address: str,
    *,
    scope: str = "all",
    reason: str = "staff",
    now: datetime = NOON,
    keys: Keys = KEYS,
) -> Suppression:
    """An address that must not be written to."""
    return added(session, Suppression(address_hash=hash_address(address, keys), scope=scope, reason=reason, at=now))


def brake(session: Session, scope: str = "all", *, reason: str = "a test", now: datetime = NOON) -> Brake:
    """A pulled brake."""
    return added(session, Brake(scope=scope, reason=reason, pulled_by="test", pulled_at=now))
