"""Campaigns with their letters, whom they write to, who stands behind them, and their waves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.models import (
    Addressing,
    Campaign,
    CampaignKind,
    CampaignState,
    Demand,
    LetterVersion,
    Organisation,
    Sponsorship,
    Target,
    Wave,
    WaveKind,
    WaveState,
)

from .base import NOON, added, numbers
from .offices import target


def letter_version(
    session: Session,
    campaign: Campaign,
    *,
    subject: str = "Homes people can afford",
    header: str = "{{ target.salutation }},",
    body: str = "I ask you to keep rents within reach.\n\n{{ signer.own_words }}",
    footer: str = "Yours sincerely,\n{{ signer.name }}",
    signed_at: datetime | None = None,
    now: datetime = NOON,
) -> LetterVersion:
    """The campaign's next version of its letter. No target is moved to it."""
    highest = session.scalar(
        select(func.coalesce(func.max(LetterVersion.number), 0)).where(LetterVersion.campaign_id == campaign.id)
    )
    row = LetterVersion(
        campaign_id=campaign.id,
        number=(highest or 0) + 1,
        subject=subject,
        header=header,
        body=body,
        footer=footer,
        created_at=now,
        signed_at=signed_at,
    )
    return added(session, row)


def addressing(session: Session, campaign: Campaign, target: Target, version: LetterVersion) -> Addressing:
    """The campaign writes to the target with that version."""
    position = session.scalar(select(func.count()).where(Addressing.campaign_id == campaign.id)) or 0
    row = Addressing(campaign_id=campaign.id, target_id=target.id, version_id=version.id, position=position)
    return added(session, row)


def campaign(
    session: Session,
    *,
    slug: str | None = None,
    title: str | None = None,
    kind: CampaignKind = CampaignKind.LETTER,
    state: CampaignState = CampaignState.PUBLISHED,
    targets: int | Sequence[Target] = 1,
    demands: Sequence[str] = (),
    organisation: str = "Fair Homes Union",
    hold_for_waves: bool = False,
    now: datetime = NOON,
    **letter: str,
) -> Campaign:
    """A campaign with its lead sponsor, one letter version, its targets and, once published, its standing wave.

    `targets`: how many to make, each with an email contact of its own, or those to take.
    `letter`: `subject`, `header`, `body`, `footer` of the version.
    """
    n = next(numbers)
    row = Campaign(
        slug=slug or f"campaign-{n}",
        kind=kind,
        state=state,
        title=title or f"Keep rents within reach {n}",
        opening="Rents have outrun wages for ten years.",
        story="Rents have outrun wages for ten years.",
        hold_for_waves=hold_for_waves,
        created_at=now,
        published_at=None if state is CampaignState.DRAFT else now,
        closed_at=now if state is CampaignState.CLOSED else None,
    )
    row.demands = [Demand(number=i, text=text) for i, text in enumerate(demands, 1)]
    added(session, row)
    added(
        session, Sponsorship(campaign_id=row.id, organisation_id=organisation_of(session, organisation).id, role="lead")
    )
    version = letter_version(session, row, now=now, **letter)  # type: ignore[arg-type]
    chosen = [target(session, now=now) for _ in range(targets)] if isinstance(targets, int) else targets
    for one in chosen:
        addressing(session, row, one, version)
    if state is not CampaignState.DRAFT:
        standing_wave(session, row, now=now)
    session.expire(row, ["sponsorships"])
    return row


def organisation_of(session: Session, name: str = "Fair Homes Union") -> Organisation:
    """The organisation of that name, made if it is not there."""
    found = session.scalar(select(Organisation).where(Organisation.name == name))
    return found or added(session, Organisation(name=name))


def standing_wave(session: Session, campaign: Campaign, *, now: datetime = NOON) -> Wave:
    """The wave that confirmed letters leave by."""
    found = session.scalar(select(Wave).where(Wave.campaign_id == campaign.id, Wave.is_standing))
    return found or wave(session, campaign, is_standing=True, state=WaveState.SENDING, now=now)


def wave(
    session: Session,
    campaign: Campaign,
    *,
    kind: WaveKind = WaveKind.LETTERS,
    state: WaveState = WaveState.DRAFT,
    is_standing: bool = False,
    name: str = "",
    now: datetime = NOON,
) -> Wave:
    """A wave of the campaign."""
    row = Wave(
        campaign_id=campaign.id,
        kind=kind,
        state=state,
        is_standing=is_standing,
        name=name,
        created_at=now,
    )
    return added(session, row)


def targets_of(session: Session, campaign: Campaign) -> list[Target]:
    """The campaign's targets, in its order."""
    chosen = select(Target).join(Addressing, Addressing.target_id == Target.id)
    return list(session.scalars(chosen.where(Addressing.campaign_id == campaign.id).order_by(Addressing.position)))
