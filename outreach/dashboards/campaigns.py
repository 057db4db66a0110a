"""What organizers ask about their campaigns: who signed, what left, which target cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import EventState, MailClass, State
from outreach.models import (
    STANDING,
    Addressing,
    Campaign,
    CampaignKind,
    CampaignState,
    Channel,
    Contact,
    ContactState,
    Counter,
    Delivery,
    Lane,
    Signature,
    SignatureState,
    Target,
)


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One campaign: its signatures by state, those that are set aside on their own, and its letters by state."""

    id: int
    slug: str
    title: str
    kind: CampaignKind
    state: CampaignState
    signatures: Mapping[SignatureState, int]
    suspects: int
    letters: Mapping[State, int]

    @property
    def confirmed(self) -> int:
        """Those that count."""
        return self.signatures[SignatureState.CONFIRMED]

    @property
    def pending(self) -> int:
        return self.signatures[SignatureState.PENDING]

    @property
    def waiting(self) -> int:
        """Letters on their way out: queued, or in a worker's hands."""
        return self.letters[State.QUEUED] + self.letters[State.CLAIMED] + self.letters[State.SENDING]


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target of a campaign, and how its letters reach it. `address` "" means that they cannot, and are held."""

    id: int
    ref: str
    name: str
    office: str
    address: str
    contact_state: ContactState | None
    per_hour: int | None
    per_day: int | None
    hours: str
    days: str
    zone: str
    version_number: int

    @property
    def label(self) -> str:
        """As the page names them: "DHS Secretary Alejandro Mayorkas"."""
        return " ".join(part for part in (self.office, self.name) if part)

    @property
    def is_reachable(self) -> bool:
        return self.contact_state is ContactState.OK


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One letter in a list for organizers: names, never addresses."""

    ref: str
    signer: str
    target: str
    state: State
    event_state: EventState | None
    reason: str
    created_at: datetime
    accepted_at: datetime | None


def campaigns_overview(session: Session, *, slug: str | None = None) -> list[CampaignRow]:
    """All campaigns, the newest first, with their numbers; or only the one called `slug`."""
    chosen = select(Campaign.id, Campaign.slug, Campaign.title, Campaign.kind, Campaign.state).order_by(
        Campaign.created_at.desc(), Campaign.id.desc()
    )
    if slug is not None:
        chosen = chosen.where(Campaign.slug == slug)
    found = session.execute(chosen).all()
    only = found[0].id if slug is not None and found else None
    signatures, letters = _signatures(session, only), _letters(session, only)
    return [
        CampaignRow(
            *row,
            signatures={state: signatures.get((row.id, state, False), 0) for state in SignatureState},
            suspects=sum(signatures.get((row.id, state, True), 0) for state in STANDING),
            letters={state: letters.get((row.id, state), 0) for state in State},
        )
        for row in found
    ]


def _signatures(session: Session, campaign_id: int | None) -> dict[tuple[int, SignatureState, bool], int]:
    """By campaign, state, and whether they are set aside."""
    is_suspect = Signature.suspect != ""
    by = (Signature.campaign_id, Signature.state, is_suspect)
    counted = select(*by, func.count()).group_by(*by)
    if campaign_id is not None:
        counted = counted.where(Signature.campaign_id == campaign_id)
    return {(id_, state, bool(suspect)): n for id_, state, suspect, n in session.execute(counted)}


def _letters(session: Session, campaign_id: int | None) -> dict[tuple[int, State], int]:
    counted = (
        select(Counter.campaign_id, Counter.state, func.sum(Counter.n))
        .where(Counter.mail_class == MailClass.LETTER)
        .group_by(Counter.campaign_id, Counter.state)
    )
    if campaign_id is not None:
        counted = counted.where(Counter.campaign_id == campaign_id)
    return {(id_, state): int(n) for id_, state, n in session.execute(counted)}


def targets_of(session: Session, campaign_id: int) -> list[TargetRow]:
    """The campaign's targets in its order, each with its current email contact and that mailbox's pace."""
    current = and_(Contact.target_id == Target.id, Contact.channel == Channel.EMAIL, Contact.ended_at.is_(None))
    rows = session.execute(
        select(Addressing, Target, Contact, Lane)
        .join(Target, Target.id == Addressing.target_id)
        .outerjoin(Contact, current)
        .outerjoin(Lane, Lane.id == Contact.lane_id)
        .where(Addressing.campaign_id == campaign_id)
        .order_by(Addressing.position, Addressing.id)
    )
    return [
        TargetRow(
            id=target.id,
            ref=target.ref,
            name=target.name,
            office=target.office,
            address=contact.value if contact else "",
            contact_state=contact.state if contact else None,
            per_hour=lane.per_hour if lane else None,
            per_day=lane.per_day if lane else None,
            hours=(lane.hours or "always") if lane else "always",
            days=lane.days if lane else "all",
            zone=lane.zone if lane else target.zone,
            version_number=addressing.version.number,
        )
        for addressing, target, contact, lane in rows
    ]


def recent_letters(session: Session, campaign_id: int, *, limit: int = 20) -> list[LetterRow]:
    """The campaign's newest letters."""
    rows = session.execute(
        select(Delivery, Signature.name, Target.name, Target.office)
        .join(Signature, Signature.id == Delivery.signature_id)
        .join(Target, Target.id == Delivery.target_id)
        .where(Delivery.campaign_id == campaign_id, Delivery.mail_class == MailClass.LETTER)
        .order_by(Delivery.id.desc())
        .limit(limit)
    )
    return [
        LetterRow(
            ref=d.ref,
            signer=signer,
            target=f"{office} {name}".strip(),
            state=d.state,
            event_state=d.event_state,
            reason=d.reason,
            created_at=d.created_at,
            accepted_at=d.accepted_at,
        )
        for d, signer, name, office in rows
    ]
