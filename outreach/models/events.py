"""What providers reported, each report once, and what could not be right about it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outreach.domain.events import EventKind

from .base import Base, Id, by_value


class ProviderEvent(Base):
    """One report. Its id is the provider's, so the same report sent again is the same row. Never updated."""

    __tablename__ = "provider_events"

    id: Mapped[str] = mapped_column(primary_key=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"), index=True)
    attempt: Mapped[int | None]
    kind: Mapped[EventKind] = mapped_column(by_value(EventKind))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(default="")


class Anomaly(Base):
    """A report that contradicts the books: the provider has a mail that we say never left."""

    __tablename__ = "anomalies"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"))
    kind: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
