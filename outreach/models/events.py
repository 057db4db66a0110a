"""What providers reported, each report once, and what could not be right about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.domain.events import Cause, EventKind

from .base import Base, Id, by_value


class ProviderEvent(Base):
    """One report. Its id is the provider's, so the same report sent again is the same row.

    Stored as it comes and applied by a task; only `delivery_id` and `applied_at` are ever written later.
    """

    __tablename__ = "provider_events"
    __table_args__ = (
        Index("ix_provider_events_received_at", "received_at"),
        Index(
            "ix_provider_events_cause",
            "cause",
            postgresql_where=text("cause IS NOT NULL"),
            sqlite_where=text("cause IS NOT NULL"),
        ),
        Index(
            "ix_provider_events_waiting",
            "received_at",
            postgresql_where=text("applied_at IS NULL"),
            sqlite_where=text("applied_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"), index=True)
    attempt: Mapped[int | None]
    kind: Mapped[EventKind] = mapped_column(by_value(EventKind))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(default="")
    env: Mapped[str | None]
    ref: Mapped[str] = mapped_column(default="")  #: the delivery it names, whether we know it or not
    address_hash: Mapped[str | None]  #: whom it is about, for reports that name no delivery
    hard: Mapped[bool] = mapped_column(default=True)  #: of a bounce: the address is bad, not just this mail
    cause: Mapped[Cause | None] = mapped_column(by_value(Cause))  #: why it did not arrive, or was not wanted
    #: As it came, without address, IP, browser and links.
    raw: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    applied_at: Mapped[datetime | None]


class Anomaly(Base):
    """A report that contradicts the books: the provider has a mail that we say never left."""

    __tablename__ = "anomalies"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"))
    kind: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
