"""Campaigns: what is asked, by whom, with which words."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, Id, by_value


class CampaignKind(StrEnum):
    PETITION = "petition"
    LETTER = "letter"


class CampaignState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    CLOSED = "closed"


class Campaign(Base):
    """A political goal with its texts. `source_hash` is that of the imported file: the same file changes nothing."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[CampaignKind] = mapped_column(by_value(CampaignKind))
    state: Mapped[CampaignState] = mapped_column(by_value(CampaignState), default=CampaignState.DRAFT)
    title: Mapped[str]
    opening: Mapped[str] = mapped_column(default="")
    story: Mapped[str] = mapped_column(default="")  #: the body of the page, unplaced lines included, in order
    why: Mapped[str] = mapped_column(default="")
    coalition: Mapped[str] = mapped_column(default="")
    call_to_act: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="en")
    hold_for_waves: Mapped[bool] = mapped_column(default=False)
    source_hash: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    demands: Mapped[list[Demand]] = relationship(order_by="Demand.number", cascade="all, delete-orphan")
    asks: Mapped[list[Ask]] = relationship(order_by="Ask.position", cascade="all, delete-orphan")
    sponsorships: Mapped[list[Sponsorship]] = relationship(
        order_by="Sponsorship.position", cascade="all, delete-orphan"
    )


class Demand(Base):
    """One numbered ask of a petition."""

    __tablename__ = "demands"
    __table_args__ = (UniqueConstraint("campaign_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    number: Mapped[int]
    text: Mapped[str]


class Ask(Base):
    """An ask of the page itself: a short title, its text, and where to learn more."""

    __tablename__ = "asks"
    __table_args__ = (UniqueConstraint("campaign_id", "position"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    position: Mapped[int]
    title: Mapped[str]
    text: Mapped[str]
    link_label: Mapped[str] = mapped_column(default="")  #: "Learn more"
    link_url: Mapped[str] = mapped_column(default="")  #: a plain text file knows no address; an organizer adds it


class Organisation(Base):
    """Who stands behind campaigns."""

    __tablename__ = "organisations"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Sponsorship(Base):
    """An organisation behind a campaign: one lead, any number of co-sponsors."""

    __tablename__ = "sponsorships"
    __table_args__ = (
        UniqueConstraint("campaign_id", "organisation_id"),
        CheckConstraint("role IN ('lead', 'co')", name="role"),
        Index(
            "uq_sponsorships_one_lead",
            "campaign_id",
            unique=True,
            postgresql_where=text("role = 'lead'"),
            sqlite_where=text("role = 'lead'"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))
    position: Mapped[int] = mapped_column(default=0)
    role: Mapped[str] = mapped_column(default="co")
    organisation: Mapped[Organisation] = relationship()
