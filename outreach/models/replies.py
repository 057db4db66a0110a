"""What came back to a letter's own address, and what was dropped there."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from outreach.domain.replies import ReplyKind, ShareState

from .base import Base, Id, by_value


class Reply(Base):
    """One mail that answered one letter. `raw` is the whole of it, until retention ends."""

    __tablename__ = "replies"
    __table_args__ = (Index("ix_replies_campaign_share", "campaign_id", "share_state"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[str] = mapped_column(unique=True)  #: of alias and Message-ID, or of the mail: it is taken once
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), index=True)
    signature_id: Mapped[int] = mapped_column(ForeignKey("signatures.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    kind: Mapped[ReplyKind] = mapped_column(by_value(ReplyKind))
    subject: Mapped[str] = mapped_column(default="")
    text: Mapped[str] = mapped_column(default="")  #: what its writer wrote
    quoted: Mapped[str] = mapped_column(default="")  #: the original below it
    raw: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)  #: read only where it is asked for
    received_at: Mapped[datetime]
    forward_id: Mapped[int | None] = mapped_column(
        ForeignKey("deliveries.id"), unique=True
    )  #: the notice to the signer
    share_state: Mapped[ShareState] = mapped_column(by_value(ShareState), default=ShareState.PRIVATE)
    share_text: Mapped[str] = mapped_column(default="")  #: what the wall shows, once approved
    decided_by: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]


class InboundTally(Base):
    """How many mails of a kind came in on a day and were dropped without being kept."""

    __tablename__ = "inbound_tallies"

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
