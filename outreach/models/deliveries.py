"""The outbox and its books: deliveries, their attempts, their log, the counters kept beside them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.domain.deliveries import EventState, MailClass, State, Stream

from .base import Base, Id, by_value


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


class Delivery(Base):
    """One mail that must leave: one row for (signature, target), (wave, supporter) or (signature, notice, serial).

    Only `outbox.move` changes `state`. `claim_token` is the fence: every answer carries it, and an answer with an
    old one can add evidence of acceptance and nothing else. `maybe_sent` never goes back to False.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("uq_deliveries_letter", "signature_id", "target_id", unique=True, **_where("class = 'letter'")),
        Index("uq_deliveries_mailing", "wave_id", "supporter_id", unique=True, **_where("class = 'mailing'")),
        Index(
            "uq_deliveries_notice",
            "signature_id",
            "purpose",
            "serial",
            unique=True,
            **_where("class IN ('confirmation', 'notice')"),
        ),
        Index("ix_deliveries_due", "lane_id", "due_at", "id", **_where("state = 'queued'")),
        Index("ix_deliveries_waiting", "lane_id", "campaign_id", "due_at", "id", **_where("state = 'queued'")),
        Index("ix_deliveries_stream_due", "stream", "due_at", "id", **_where("state = 'queued'")),
        Index("ix_deliveries_lease", "claimed_until", **_where("state IN ('claimed', 'sending')")),
        Index("ix_deliveries_doubt", "doubt_since", **_where("state = 'in_doubt'")),
        Index("ix_deliveries_held", "target_id", **_where("state = 'held'")),
        Index("ix_deliveries_campaign_state", "campaign_id", "state"),
        Index("ix_deliveries_signature", "signature_id"),
        Index("ix_deliveries_wave_state", "wave_id", "state"),
        Index("ix_deliveries_supporter", "supporter_id", "class", "accepted_at"),
        Index(
            "ix_deliveries_wave_event", "wave_id", "event_state", **_where("event_state IN ('bounced', 'complained')")
        ),
        CheckConstraint("(state IN ('claimed', 'sending')) = (claim_token IS NOT NULL)", name="claim"),
        CheckConstraint("class <> 'letter' OR (signature_id IS NOT NULL AND target_id IS NOT NULL)", name="letter"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)  #: our opaque id: `oe_delivery`, Message-ID, file name
    mail_class: Mapped[MailClass] = mapped_column("class", by_value(MailClass))
    stream: Mapped[Stream] = mapped_column(by_value(Stream))
    purpose: Mapped[str] = mapped_column(default="")  #: which notice: "confirm", "receipt"; "" for letters
    serial: Mapped[int] = mapped_column(default=1)  #: a confirmation may be asked for again
    state: Mapped[State] = mapped_column(by_value(State))
    event_state: Mapped[EventState | None] = mapped_column(by_value(EventState))
    event_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")  #: why it is where it is, for people

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    wave_id: Mapped[int | None] = mapped_column(ForeignKey("waves.id"))
    signature_id: Mapped[int | None] = mapped_column(ForeignKey("signatures.id"))
    supporter_id: Mapped[int | None] = mapped_column(ForeignKey("supporters.id"))
    target_id: Mapped[int | None] = mapped_column(ForeignKey("targets.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("letter_versions.id"))
    lane_id: Mapped[int | None] = mapped_column(ForeignKey("lanes.id"))  #: None only while held without a contact
    address_hash: Mapped[str | None]  #: of the mailbox it goes to, to look up suppressions
    reply_hash: Mapped[str | None] = mapped_column(unique=True)  #: SHA-256 of the letter's reply alias
    content_hash: Mapped[str] = mapped_column(default="")  #: `letter_hash` of what the signer confirmed

    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    claim_token: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)  #: the number of the last attempt
    tries: Mapped[int] = mapped_column(default=0)  #: attempts that count against the limit
    resends: Mapped[int] = mapped_column(default=0)  #: authorised ones
    maybe_sent: Mapped[bool] = mapped_column(default=False)
    doubt_since: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    replied_at: Mapped[datetime | None]  #: a person answered the letter
    handled_at: Mapped[datetime | None]  #: staff have seen to its failure


class Attempt(Base):
    """One handing-over, written down before it happens. `outcome` is NULL while it is in the air."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_lane_ended", "lane_id", "ended_at"),
        CheckConstraint("outcome IN ('accepted', 'refused', 'unavailable', 'unknown')", name="outcome"),
    )

    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lane_id: Mapped[int] = mapped_column(ForeignKey("lanes.id"))
    claim_token: Mapped[str]
    transport: Mapped[str]
    bundle_id: Mapped[int | None] = mapped_column(ForeignKey("bundles.id"), index=True)
    counted: Mapped[bool] = mapped_column(default=True)  #: against the lane's cap; of a bundle only the first is
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    provider_id: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")


class Bundle(Base):
    """One mail a day that holds all letters due for one mailbox. Each letter keeps its own delivery and attempt."""

    __tablename__ = "bundles"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    lane_id: Mapped[int] = mapped_column(ForeignKey("lanes.id"), index=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    letters: Mapped[int]
    created_at: Mapped[datetime]


class LogEntry(Base):
    """One move of one delivery. Append-only."""

    __tablename__ = "delivery_log"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), index=True)
    at: Mapped[datetime]
    from_state: Mapped[State | None] = mapped_column(by_value(State))
    to_state: Mapped[State] = mapped_column(by_value(State))
    reason: Mapped[str] = mapped_column(default="")
    actor: Mapped[str] = mapped_column(default="engine")


class Counter(Base):
    """How many deliveries of a campaign, wave and class are in a state; adjusted in the transaction of each move.

    Sharded so that two workers rarely wait for one row; a shard alone may be negative, the sum never is.
    """

    __tablename__ = "counters"

    campaign_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    wave_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  #: 0: no wave
    mail_class: Mapped[MailClass] = mapped_column("class", by_value(MailClass), primary_key=True)
    state: Mapped[State] = mapped_column(by_value(State), primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(BigInteger, default=0)


class Minute(Base):
    """How many attempts of a stream ended how in one minute: what rates are read from."""

    __tablename__ = "minutes"

    minute: Mapped[datetime] = mapped_column(primary_key=True)
    stream: Mapped[Stream] = mapped_column(by_value(Stream), primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(default=0)
