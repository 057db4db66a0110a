"""Ladders: what signers are written, step by step, after what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from outreach.domain.ladders import StepState, Trigger

from .base import Base, Id, by_value


class Ladder(Base):
    """A follow-up sequence of one campaign."""

    __tablename__ = "ladders"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]  #: nobody begins or climbs it any more
    rungs: Mapped[list[Rung]] = relationship(back_populates="ladder", order_by="Rung.number, Rung.id")


class Rung(Base):
    """One step. Never changed: an edit ends it and adds another; who waits on the old one still gets the old one."""

    __tablename__ = "rungs"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ladder_id: Mapped[int] = mapped_column(ForeignKey("ladders.id"), index=True)
    number: Mapped[int]
    trigger: Mapped[Trigger] = mapped_column(by_value(Trigger))
    wait_seconds: Mapped[int] = mapped_column(default=0)
    at_wall: Mapped[str] = mapped_column(default="")  #: "18:30": then at the next such time in `zone`
    zone: Mapped[str] = mapped_column(default="UTC")
    conditions: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    purpose: Mapped[str] = mapped_column(default="")  #: the consent it needs; "" for mail about the signer's own letter
    subject: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    climbed_at: Mapped[datetime | None]  #: what happened well before this has been looked at
    ladder: Mapped[Ladder] = relationship(back_populates="rungs")


class Step(Base):
    """One signer on one rung: waiting, written to, or passed over with a reason."""

    __tablename__ = "steps"
    __table_args__ = (
        UniqueConstraint("rung_id", "signature_id"),
        Index(
            "ix_steps_due",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    rung_id: Mapped[int] = mapped_column(ForeignKey("rungs.id"))
    signature_id: Mapped[int] = mapped_column(ForeignKey("signatures.id"), index=True)
    state: Mapped[StepState] = mapped_column(by_value(StepState), default=StepState.WAITING)
    due_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(default="")
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"))
    created_at: Mapped[datetime]
