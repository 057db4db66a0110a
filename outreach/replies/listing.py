"""Answers as staff, signers and machines see them. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import State
from outreach.domain.mails import Unreadable, read_mail
from outreach.domain.replies import ReplyKind, ShareState
from outreach.errors import NotFound
from outreach.models import Campaign, Delivery, InboundTally, Reply, Signature, Target
from outreach.signing import target_label

from .reading import enclosures_of, sender_of

#: What a signer sees of answers: those of people, and that a letter arrived.
_FOR_SIGNERS = (ReplyKind.HUMAN, ReplyKind.ACKNOWLEDGEMENT)


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """One answer in a list. `forward_state` is that of the notice to the signer; None when there is none."""

    ref: str
    campaign: str
    delivery: str
    kind: ReplyKind
    signer: str
    target_label: str
    subject: str
    text: str
    quoted: str
    received_at: datetime
    has_raw: bool
    forward_state: State | None
    share_state: ShareState
    share_text: str
    decided_at: datetime | None
    sender: str = ""  #: only of one answer by itself: who says they wrote it
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignersReply:
    """One answer as its signer sees it. Of an acknowledgement, the text is left out."""

    ref: str
    delivery: str
    target_label: str
    text: str
    received_at: datetime
    is_from_person: bool
    share_state: ShareState
    share_text: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many mails of a kind were dropped on one day."""

    day: date
    kind: str
    count: int


def find(session: Session, ref: str) -> Reply:
    """The answer with this ref. Raises NotFound."""
    reply = session.scalar(select(Reply).where(Reply.ref == ref))
    if reply is None:
        raise _no_such(ref)
    return reply


def campaign_replies(
    session: Session,
    *,
    campaign_id: int | None = None,
    kind: ReplyKind | None = None,
    share: ShareState | None = None,
    limit: int = 100,
) -> list[ReplyRow]:
    """The newest answers, of one campaign or all."""
    wanted = _ROWS.order_by(Reply.received_at.desc(), Reply.id.desc()).limit(limit)
    for column, value in ((Reply.campaign_id, campaign_id), (Reply.kind, kind), (Reply.share_state, share)):
        if value is not None:
            wanted = wanted.where(column == value)
    return [_row(row) for row in session.execute(wanted)]


def row_of(session: Session, ref: str) -> ReplyRow:
    """One answer, with its sender and the names of its files as long as the whole mail is kept. Raises NotFound."""
    row = session.execute(_ROWS.where(Reply.ref == ref)).first()
    if row is None:
        raise _no_such(ref)
    raw = session.scalar(select(Reply.raw).where(Reply.ref == ref))
    try:
        mail = read_mail(raw or b"")
    except Unreadable:
        return _row(row)
    name, address = sender_of(mail)
    sender = f"{name} <{address}>" if name else address
    return _row(row, sender=sender, files=tuple(file.name for file in enclosures_of(mail)))


def kinds_of(session: Session, campaign_id: int) -> Counter[ReplyKind]:
    """How many answers of each kind a campaign has."""
    counted = select(Reply.kind, func.count()).where(Reply.campaign_id == campaign_id).group_by(Reply.kind)
    return Counter(dict(session.execute(counted).all()))


def signers_replies(session: Session, reference: str) -> tuple[SignersReply, ...]:
    """What the signer's own page shows of answers to the signature with this ref, the oldest first."""
    wanted = _ROWS.where(Signature.ref == reference, Reply.kind.in_(_FOR_SIGNERS))
    return tuple(
        SignersReply(
            row.Reply.ref,
            row.delivery_ref,
            target_label(row.Target),
            row.Reply.text if row.Reply.kind is ReplyKind.HUMAN else "",
            row.Reply.received_at,
            row.Reply.kind is ReplyKind.HUMAN,
            row.Reply.share_state,
            row.Reply.share_text,
        )
        for row in session.execute(wanted.order_by(Reply.received_at, Reply.id))
    )


def dropped_lately(session: Session, *, now: datetime, days: int = 30) -> Sequence[Dropped]:
    """What was dropped in the last days, the newest first."""
    since = (now - timedelta(days=days)).astimezone(UTC).date()
    rows = select(InboundTally).where(InboundTally.day >= since).order_by(InboundTally.day.desc(), InboundTally.kind)
    return [Dropped(row.day, row.kind, row.count) for row in session.scalars(rows)]


#: The notice that passes an answer on.
_FORWARD = select(Delivery.state).where(Delivery.id == Reply.forward_id).correlate(Reply).scalar_subquery()

#: Every answer with whose it is and whom it is from; never with the whole mail, which may be large.
_ROWS: Select[Any] = (
    select(
        Reply,
        Campaign.slug,
        Delivery.ref.label("delivery_ref"),
        Signature.name,
        Target,
        _FORWARD.label("forward_state"),
        Reply.raw.is_not(None).label("has_raw"),
    )
    .join(Campaign, Campaign.id == Reply.campaign_id)
    .join(Delivery, Delivery.id == Reply.delivery_id)
    .join(Signature, Signature.id == Reply.signature_id)
    .join(Target, Target.id == Delivery.target_id)
)


def _no_such(ref: str) -> NotFound:
    return NotFound("There is no such answer.", where=ref, advice="See `outreach replies list`.")


def _row(row: Any, *, sender: str = "", files: tuple[str, ...] = ()) -> ReplyRow:
    reply: Reply = row.Reply
    return ReplyRow(
        reply.ref,
        row.slug,
        row.delivery_ref,
        reply.kind,
        row.name,
        target_label(row.Target),
        reply.subject,
        reply.text,
        reply.quoted,
        reply.received_at,
        row.has_raw,
        row.forward_state,
        reply.share_state,
        reply.share_text,
        reply.decided_at,
        sender,
        files,
    )
