"""Single deliveries: lists in pages, all of them as a stream, and one with everything that happened to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import EventState, MailClass, State, Stream
from outreach.domain.events import EventKind
from outreach.errors import NotFound
from outreach.models import (
    Anomaly,
    Attempt,
    Campaign,
    Contact,
    Counter,
    Delivery,
    LogEntry,
    ProviderEvent,
    Signature,
    Supporter,
    Target,
)

from .queue import in_state, names_of

PAGE = 50
#: Up to so many rows in a state, it is cheaper to gather them by an index than to walk back through the table until
#: a page is full; with more of them, a page is full soon.
_FEW = 20_000


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery in a list. No address, no text: ids and states."""

    id: str  #: the opaque id (`ref`)
    number: int  #: the row's number, by which lists are paged
    mail_class: MailClass
    stream: Stream
    state: State
    event_state: EventState | None
    maybe_sent: bool
    campaign: str  #: slug
    wave: int | None
    target: int | None
    target_label: str
    signature: str | None  #: the signature's ref
    attempts: int
    due_at: datetime
    accepted_at: datetime | None
    provider_id: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """The shape machines get from `outreach deliveries list --json`."""
        row = asdict(self)
        row["class"] = str(row.pop("mail_class"))
        for ours in ("number", "stream", "target_label"):
            del row[ours]
        order = ("id", "class", "state", "event_state", "maybe_sent", "campaign", "wave", "target", "signature")
        return {name: row[name] for name in order} | {name: row[name] for name in row if name not in order}


@dataclass(frozen=True, slots=True)
class LogRow:
    """One move."""

    at: datetime
    from_state: State | None
    to_state: State
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One handing-over; `outcome` None while it is in the air."""

    number: int
    transport: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    provider_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What the provider reported. `reason` is the far server's words: hostile text."""

    at: datetime
    received_at: datetime
    kind: EventKind
    attempt: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """One delivery and all that happened to it. A signer's address is masked; a target's is a public office's."""

    row: DeliveryRow
    to: str
    purpose: str
    serial: int
    resends: int
    created_at: datetime
    claimed_until: datetime | None
    doubt_since: datetime | None
    event_at: datetime | None
    content_hash: str
    log: tuple[LogRow, ...]
    attempts: tuple[AttemptRow, ...]
    reports: tuple[ReportRow, ...]
    anomalies: tuple[str, ...]


def deliveries_page(
    session: Session,
    *,
    state: State | None = None,
    stream: Stream | None = None,
    campaign_id: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> tuple[list[DeliveryRow], int | None]:
    """A page of deliveries, the newest first, and the `before` of the next page; None on the last one."""
    # The page's ids first, from one table: joined at once, planners begin with the campaigns and sort everything.
    chosen = select(Delivery.id).order_by(Delivery.id.desc()).limit(limit + 1)
    if state is not None and _are_few(session, state):
        campaigns = list(session.scalars(select(Campaign.id)))
        chosen = chosen.where(in_state(state), Delivery.campaign_id.in_(campaigns))
    elif state is not None:
        chosen = chosen.where(Delivery.state == state)
    if stream is not None:
        chosen = chosen.where(Delivery.stream == stream)
    if campaign_id is not None:
        chosen = chosen.where(Delivery.campaign_id == campaign_id)
    if before is not None:
        chosen = chosen.where(Delivery.id < before)
    ids = session.scalars(chosen).all()
    rows = session.execute(_rows().where(Delivery.id.in_(ids[:limit])).order_by(Delivery.id.desc()))
    return [_row(*row) for row in rows], ids[limit - 1] if len(ids) > limit else None


def _are_few(session: Session, state: State) -> bool:
    return (session.scalar(select(func.sum(Counter.n)).where(Counter.state == state)) or 0) < _FEW


def every_delivery(
    session: Session, *, state: State | None = None, campaign_id: int | None = None, limit: int | None = None
) -> Iterator[DeliveryRow]:
    """All deliveries in the order they were made, read in portions: as many as there are, in little memory."""
    chosen = _rows().order_by(Delivery.id).limit(limit)
    if state is not None:
        chosen = chosen.where(in_state(state))
    if campaign_id is not None:
        chosen = chosen.where(Delivery.campaign_id == campaign_id)
    for row in session.execute(chosen, execution_options={"yield_per": 1000}):
        yield _row(*row)


def delivery_page(session: Session, ref: str) -> DeliveryPage:
    """One delivery by its opaque id; NotFound."""
    found = session.execute(_rows().where(Delivery.ref == ref[:64])).one_or_none()
    if found is None:
        raise NotFound("There is no delivery with this id.", where=ref[:40], advice="See `outreach deliveries list`.")
    d: Delivery = found[0]
    moves = session.scalars(select(LogEntry).where(LogEntry.delivery_id == d.id).order_by(LogEntry.id)).all()
    names = names_of(session, (move.actor for move in moves))
    tries = session.scalars(select(Attempt).where(Attempt.delivery_id == d.id).order_by(Attempt.number))
    reports = session.scalars(
        select(ProviderEvent).where(ProviderEvent.delivery_id == d.id).order_by(ProviderEvent.at, ProviderEvent.id)
    )
    oddities = session.scalars(select(Anomaly).where(Anomaly.delivery_id == d.id).order_by(Anomaly.id))
    return DeliveryPage(
        row=_row(*found),
        to=_address(session, d),
        purpose=d.purpose,
        serial=d.serial,
        resends=d.resends,
        created_at=d.created_at,
        claimed_until=d.claimed_until,
        doubt_since=d.doubt_since,
        event_at=d.event_at,
        content_hash=d.content_hash,
        log=tuple(LogRow(m.at, m.from_state, m.to_state, m.reason, names[m.actor]) for m in moves),
        attempts=tuple(
            AttemptRow(a.number, a.transport, a.started_at, a.ended_at, a.outcome, a.provider_id, a.detail)
            for a in tries
        ),
        reports=tuple(ReportRow(r.at, r.received_at, r.kind, r.attempt, r.reason) for r in reports),
        anomalies=tuple(f"{a.kind}: {a.detail}" if a.detail else a.kind for a in oddities),
    )


def _rows() -> Select[Any]:
    """Deliveries with the words that stand beside them. The provider's id is that of the last attempt with one."""
    provider_id = (
        select(Attempt.provider_id)
        .where(Attempt.delivery_id == Delivery.id, Attempt.provider_id != "")
        .order_by(Attempt.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(Delivery, Campaign.slug, Target.name, Target.office, Signature.ref, provider_id)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .outerjoin(Target, Target.id == Delivery.target_id)
        .outerjoin(Signature, Signature.id == Delivery.signature_id)
    )


def _row(
    d: Delivery, slug: str, name: str | None, office: str | None, signature: str | None, provider_id: str | None
) -> DeliveryRow:
    return DeliveryRow(
        id=d.ref,
        number=d.id,
        mail_class=d.mail_class,
        stream=d.stream,
        state=d.state,
        event_state=d.event_state,
        maybe_sent=d.maybe_sent,
        campaign=slug,
        wave=d.wave_id,
        target=d.target_id,
        target_label=f"{office or ''} {name or ''}".strip(),
        signature=signature,
        attempts=d.attempts,
        due_at=d.due_at,
        accepted_at=d.accepted_at,
        provider_id=provider_id or "",
        reason=d.reason,
    )


def _address(session: Session, d: Delivery) -> str:
    if d.target_id is not None:
        return session.scalar(select(Contact.value).where(Contact.id == d.contact_id)) or ""
    return masked(session.scalar(select(Supporter.address).where(Supporter.id == d.supporter_id)) or "")


def masked(address: str) -> str:
    """Enough of a signer's address to recognise a typing error, not enough to write to: "j…@example.org"."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…{at}{domain}" if at else ""
