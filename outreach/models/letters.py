"""Letter versions: the words that go out, and which target gets which."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, Id
from .targets import Target


class LetterVersion(Base):
    """Subject, locked header, editable body, locked footer. Immutable once somebody signed against it.

    All four are checked templates (`merge.check`). A change after `signed_at` is a new version, never an edit.
    """

    __tablename__ = "letter_versions"
    __table_args__ = (UniqueConstraint("campaign_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    number: Mapped[int]
    subject: Mapped[str]
    header: Mapped[str] = mapped_column(default="")  #: locked: salutation
    body: Mapped[str]  #: what a signer may make their own
    footer: Mapped[str] = mapped_column(default="")  #: locked: closing and name
    created_at: Mapped[datetime]
    signed_at: Mapped[datetime | None]  #: when the first signature took these words


class Addressing(Base):
    """A campaign writes to a target, with one version of the letter."""

    __tablename__ = "addressings"
    __table_args__ = (UniqueConstraint("campaign_id", "target_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("letter_versions.id"))
    position: Mapped[int] = mapped_column(default=0)
    target: Mapped[Target] = relationship()
    version: Mapped[LetterVersion] = relationship()
