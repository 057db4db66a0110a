"""Campaigns: what is asked, by whom, with which words."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
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
    reply_mode: Mapped[str] = mapped_column(default="alias")  #: "alias" | "direct": whom a target's answer goes to
    edit_subject: Mapped[bool] = mapped_column(default=False)  #: signers may write a subject of their own
    edit_body: Mapped[bool] = mapped_column(default=False)  #: … and rewrite the letter's open part
    self_send: Mapped[bool] = mapped_column(default=False)  #: signers may send it from their own mail app instead
    high_risk: Mapped[bool] = mapped_column(default=False)  #: being named may harm: nothing is kept that need not be
    households: Mapped[bool] = mapped_column(default=False)  #: several names may share one address
    needs_postal_code: Mapped[bool] = mapped_column(default=False)
    signs_per_minute: Mapped[int | None]  #: more than that in a burst are set aside as suspect; None is the default
    embed_origins: Mapped[list[str]] = mapped_column(JSON, default=list)  #: sites that may show it in a frame
    source_hash: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    @property
    def answers_directly(self) -> bool:
        """Whether a target's answer goes straight to each signer who agrees to it."""
        return self.reply_mode == "direct" and not self.high_risk

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


class CampaignText(Base):
    """A campaign's page in one more language. What is "" or missing is shown in the campaign's own."""

    __tablename__ = "campaign_texts"
    __table_args__ = (UniqueConstraint("campaign_id", "language"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    language: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    opening: Mapped[str] = mapped_column(default="")
    story: Mapped[str] = mapped_column(default="")
    why: Mapped[str] = mapped_column(default="")
    coalition: Mapped[str] = mapped_column(default="")
    call_to_act: Mapped[str] = mapped_column(default="")
    demands: Mapped[list[str]] = mapped_column(JSON, default=list)  #: in the order of the campaign's own
    asks: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  #: {"title", "text", "link_label"}


class ShareLink(Base):
    """A short address of a campaign's page that counts who came by it. `signature_id` is whose it is, if anybody's."""

    __tablename__ = "share_links"

    code: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    signature_id: Mapped[int | None] = mapped_column(ForeignKey("signatures.id"), unique=True)
    created_at: Mapped[datetime]
    visits: Mapped[int] = mapped_column(default=0)
