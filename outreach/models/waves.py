"""Waves: planned releases of deliveries; the budgets and brakes over them; what people are told about them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.domain.pacing import OfficeHours, Pace
from outreach.domain.waves import Phase, WaveKind, WaveState

from .base import Base, Id, by_value


class Wave(Base):
    """A release of deliveries. A published campaign has one *standing* letter wave: confirmed letters leave by it.

    What an organizer planned is never changed by the engine; what the engine did stands in the columns below it.
    """

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
    created_by: Mapped[str] = mapped_column(default="")

    # What was planned.
    audience: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  #: `domain.audiences.Audience`, as JSON
    mailing_id: Mapped[int | None] = mapped_column(ForeignKey("mailings.id"))  #: what a mailing wave says
    start_wall: Mapped[str] = mapped_column(default="")  #: "2026-11-27 09:00" in `zone`; "" is as soon as started
    by_wall: Mapped[str] = mapped_column(default="")  #: when it should have ended, likewise; "" is no wish
    zone: Mapped[str] = mapped_column(default="UTC")
    start_at: Mapped[datetime | None]  #: the instant `start_wall` means
    by_at: Mapped[datetime | None]
    per_hour: Mapped[int | None]
    hours: Mapped[str | None]  #: as on a lane
    days: Mapped[str] = mapped_column(default="all")
    curve: Mapped[list[int] | None] = mapped_column(JSON)  #: 24 weights, one for each hour of the day in `zone`
    undo_seconds: Mapped[int] = mapped_column(default=0)
    max_late_seconds: Mapped[int] = mapped_column(default=3600)  #: started later than this, it waits for a person
    canary: Mapped[int] = mapped_column(default=0)  #: so many go first; 0 is all at once

    # What became of it.
    reason: Mapped[str] = mapped_column(default="")  #: why it is paused or needs attention, for people
    lane_id: Mapped[int | None] = mapped_column(ForeignKey("lanes.id"))  #: a mailing wave's own lane
    go_at: Mapped[datetime | None]  #: nothing leaves before: the end of the undo window
    planned_to: Mapped[int] = mapped_column(BigInteger, default=0)  #: planning has passed this supporter or delivery id
    planned_at: Mapped[datetime | None]  #: when planning was complete
    phase: Mapped[Phase] = mapped_column(by_value(Phase), default=Phase.FULL)
    phase_limit: Mapped[int | None]  #: so many may have left before the wave is looked at again
    phase_at: Mapped[datetime | None]  #: since when that limit is reached
    forgiven: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)  #: the tally at which a person let it go on
    previewed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Mailing(Base):
    """What a mailing wave says. Never changed: another text is another row."""

    __tablename__ = "mailings"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    subject: Mapped[str]
    body: Mapped[str]
    purpose: Mapped[str] = mapped_column(default="updates")  #: what its readers must have agreed to
    language: Mapped[str] = mapped_column(default="en")
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(default="")


class Brake(Base):
    """Nothing in its scope leaves until it is lifted.

    `scope` is "all", "restored", or "stream:letters", "campaign:7", "wave:3", "target:5", "transport:sendgrid".
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


class Budget(Base):
    """What several lanes together may send: a stream, a mail domain, or one wave of letters over all its targets.

    `hour_next` and `day_next` are where the spending stands (GCRA: the moment the budget would be whole again);
    spent in the claim's own transaction, under the row's lock.
    """

    __tablename__ = "budgets"

    key: Mapped[str] = mapped_column(primary_key=True)  #: "stream:letters", "domain:example.gov", "wave:7"
    per_hour: Mapped[int | None]
    per_day: Mapped[int | None]
    hours: Mapped[str | None]  #: as on a lane
    days: Mapped[str] = mapped_column(default="all")
    zone: Mapped[str] = mapped_column(default="UTC")
    curve: Mapped[list[int] | None] = mapped_column(JSON)
    hour_next: Mapped[datetime | None]
    day_next: Mapped[datetime | None]

    @property
    def pace(self) -> Pace:
        """Its limits, as the rules in `domain.pacing` read them."""
        return Pace(self.per_hour, self.per_day, OfficeHours.of(self.hours, self.days, self.zone, curve=self.curve))


class Holiday(Base):
    """A day on which offices of a calendar ("us", "de-by", …) are closed."""

    __tablename__ = "holidays"

    calendar: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")


class Alert(Base):
    """Something a person should know, until somebody or something ends it. One open row for each `key`."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_open",
            "key",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
            sqlite_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str]  #: "transport:sendgrid", "wave:3", "contact:12"
    message: Mapped[str]  #: a sentence, with ids and never addresses
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str] = mapped_column(default="")
