"""Targets: offices that are written to, the ways to reach them, and the lanes their mail leaves by."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from outreach.domain.deliveries import Stream
from outreach.domain.pacing import OfficeHours, Pace

from .base import Base, Id, by_value


class Channel(StrEnum):
    EMAIL = "email"
    WEBFORM = "webform"
    POST = "post"
    SYMBOLIC = "symbolic"


class ContactState(StrEnum):
    OK = "ok"
    FAILING = "failing"
    DISABLED = "disabled"


class Lane(Base):
    """Deliveries that share one pace: one mailbox over all campaigns, or one stream without caps.

    NULL in `per_hour`, `per_day` or `hours` is "no limit"; a new mailbox gets the engine's defaults written in.
    `opens_at` is when there may be room again: a claim passes over a lane until then without looking further.
    """

    __tablename__ = "lanes"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)  #: "stream:act", or "mailbox:" and the address's keyed hash
    stream: Mapped[Stream] = mapped_column(by_value(Stream), index=True)
    per_hour: Mapped[int | None]
    per_day: Mapped[int | None]
    hours: Mapped[str | None]  #: "08:00-18:00" | "always"
    days: Mapped[str] = mapped_column(default="all")  #: "mon-fri" | "all" | "mon,wed"
    zone: Mapped[str] = mapped_column(default="UTC")
    opens_at: Mapped[datetime]
    domain: Mapped[str] = mapped_column(default="")  #: of the mailbox, for the budgets of domains
    calendar: Mapped[str] = mapped_column(default="")  #: whose holidays it keeps; "" is none
    curve: Mapped[list[int] | None] = mapped_column(JSON)  #: 24 weights, one for each hour of its day; None is flat
    bundle: Mapped[bool] = mapped_column(default=False)  #: its letters leave as one mail a day

    @property
    def pace(self) -> Pace:
        """The lane's limits, as the rules in `domain.pacing` read them; its holidays stand elsewhere."""
        return self.pace_with(frozenset())

    def pace_with(self, closed: frozenset[date]) -> Pace:
        """The same with its calendar's holidays (`holidays.closed_days`): what may leave is decided by this one."""
        hours = OfficeHours.of(self.hours, self.days, self.zone, closed=closed, curve=self.curve)
        return Pace(self.per_hour, self.per_day, hours)


class Target(Base):
    """An office, and the person who holds it now."""

    __tablename__ = "targets"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(unique=True)  #: office and name, folded: the same office imports once
    external_id: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]  #: the person without the office
    office: Mapped[str]
    salutation: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="en")
    zone: Mapped[str] = mapped_column(default="UTC")
    created_at: Mapped[datetime]
    contacts: Mapped[list[Contact]] = relationship(back_populates="target", order_by="Contact.priority")


class Contact(Base):
    """One way to reach a target. A changed address is a new contact; the old one is ended, never edited."""

    __tablename__ = "contacts"
    __table_args__ = (
        Index(
            "uq_contacts_current",
            "target_id",
            "channel",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    channel: Mapped[Channel] = mapped_column(by_value(Channel))
    value: Mapped[str]  #: for email: the address in ASCII
    address_hash: Mapped[str | None]
    lane_id: Mapped[int | None] = mapped_column(ForeignKey("lanes.id"))
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[ContactState] = mapped_column(by_value(ContactState), default=ContactState.OK)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    target: Mapped[Target] = relationship(back_populates="contacts")
    lane: Mapped[Lane | None] = relationship()
