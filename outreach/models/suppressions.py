"""Addresses that must not be written to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Id


class Suppression(Base):
    """A keyed hash of an address, so that it outlives the erasure of the person.

    `scope` is "all", "campaign:7", or of the mailings alone "news", "org:3", "list:7".
    """

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("address_hash", "scope"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address_hash: Mapped[str]
    scope: Mapped[str] = mapped_column(default="all")
    reason: Mapped[str]  #: "unsubscribed", "bounced", "complained", "staff", "import"
    note: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
