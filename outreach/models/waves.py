"""Waves: planned releases of deliveries; and the brakes that stop them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Id, by_value


class WaveKind(StrEnum):
    LETTERS = "letters"
    MAILING = "mailing"


class WaveState(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    SENT = "sent"


class Wave(Base):
    """A release of deliveries. A published campaign has one *standing* letter wave: confirmed letters leave by it."""

    __tablename__ = "waves"
    __table_args__ = (
        Index(
            "uq_waves_standing",
            "campaign_id",
            unique=True,
            postgresql_where=text("is_standing"),
            sqlite_where=text("is_standing"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    kind: Mapped[WaveKind] = mapped_column(by_value(WaveKind))
    state: Mapped[WaveState] = mapped_column(by_value(WaveState), default=WaveState.DRAFT)
    is_standing: Mapped[bool] = mapped_column(default=False)
    name: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]


class Brake(Base):
    """Nothing in its scope leaves until it is lifted.

    `scope` is "all", or "stream:letters", "campaign:7", "wave:3", "target:5", "transport:sendgrid".
    """

    __tablename__ = "brakes"
    __table_args__ = (
        Index(
            "uq_brakes_pulled",
            "scope",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
            sqlite_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    scope: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    pulled_by: Mapped[str]
    pulled_at: Mapped[datetime]
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]


class ProviderState(Base):
    """What a transport told us about itself: until when it is closed to us, and why. Shared by all workers."""

    __tablename__ = "provider_states"

    transport: Mapped[str] = mapped_column(primary_key=True)
    closed_until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    strikes: Mapped[int] = mapped_column(default=0)  #: closed this often in a row
    changed_at: Mapped[datetime]
