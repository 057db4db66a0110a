"""People, what they signed, what they agreed to, and the links they were sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, Id, by_value


class SignatureState(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    INVALIDATED = "invalidated"


#: Signatures that are their signer's word on a campaign: another one is not taken meanwhile.
STANDING = (SignatureState.PENDING, SignatureState.CONFIRMED)


class Supporter(Base):
    """A person, known by a normalised address. `address` is as typed, for writing to; `address_key` for comparing."""

    __tablename__ = "supporters"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str]  #: domain in ASCII
    address_key: Mapped[str] = mapped_column(unique=True)
    address_hash: Mapped[str] = mapped_column(unique=True)  #: keyed hash of address_key, as in suppressions
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]  #: nothing personal is left in this row


class Signature(Base):
    """One supporter's act on one campaign. The signer's own words stay apart from the campaign's text.

    `text_hash` is the hash of the letters as they were last shown to the signer; a confirmation counts only for
    exactly those.
    """

    __tablename__ = "signatures"
    __table_args__ = (
        Index(
            "uq_signatures_standing",
            "campaign_id",
            "supporter_id",
            "household_key",
            unique=True,
            postgresql_where=text("state IN ('pending', 'confirmed')"),
            sqlite_where=text("state IN ('pending', 'confirmed')"),
        ),
        Index("ix_signatures_supporter_id", "supporter_id"),
        # How many signed, without reading the rows.
        Index("ix_signatures_campaign_state", "campaign_id", "state", "suspect"),
        # Who came by a short link or a partner; most came by neither.
        Index(
            "ix_signatures_source",
            "source",
            postgresql_where=text("source <> 'web'"),
            sqlite_where=text("source <> 'web'"),
        ),
        Index(
            "ix_signatures_suspect",
            "id",
            postgresql_where=text("suspect <> ''"),
            sqlite_where=text("suspect <> ''"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    supporter_id: Mapped[int] = mapped_column(ForeignKey("supporters.id"))
    state: Mapped[SignatureState] = mapped_column(by_value(SignatureState), default=SignatureState.PENDING)
    name: Mapped[str]
    city: Mapped[str] = mapped_column(default="")
    postal_code: Mapped[str] = mapped_column(default="")
    own_words: Mapped[str] = mapped_column(default="")
    own_subject: Mapped[str] = mapped_column(default="")  #: "" is the version's own, as is the next
    own_body: Mapped[str] = mapped_column(default="")  #: the letter's open part as the signer rewrote it: plain text
    household_key: Mapped[str] = mapped_column(default="")  #: the folded name, where an address may be shared
    high_risk: Mapped[bool] = mapped_column(default=False)
    suspect: Mapped[str] = mapped_column(default="")  #: why it is not counted until staff looked; "" counts
    language: Mapped[str] = mapped_column(default="en")
    text_hash: Mapped[str] = mapped_column(default="")
    network: Mapped[str] = mapped_column(
        default=""
    )  #: keyed hash of where the form came from, for a month; "" at high risk
    source: Mapped[str] = mapped_column(default="")
    evidence: Mapped[str] = mapped_column(default="")  #: how it was confirmed: "link", or the import it came with
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    shared_at: Mapped[datetime | None]
    shredded_at: Mapped[datetime | None]  #: when the letter's words were deleted, after they had been delivered
    invalidation_id: Mapped[int | None] = mapped_column(ForeignKey("invalidations.id"), index=True)
    supporter: Mapped[Supporter] = relationship()

    @hybrid_property
    def is_counted(self) -> bool:
        """Whether it stands in every number, audience and ladder: confirmed, and nothing about it is suspect.

        The one place that says so, for a row and for a query.
        """
        return self.state is SignatureState.CONFIRMED and not self.suspect

    @is_counted.inplace.expression
    @classmethod
    def _is_counted(cls) -> ColumnElement[bool]:
        return (cls.state == SignatureState.CONFIRMED) & (cls.suspect == "")


class Invalidation(Base):
    """Signatures that staff ended together, and what they were found by; it can be taken back as a whole."""

    __tablename__ = "invalidations"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    sieve: Mapped[dict[str, Any]] = mapped_column(JSON)  #: what they have in common, as it was previewed
    reason: Mapped[str]
    total: Mapped[int]  #: how many the preview found
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    undone_by: Mapped[str] = mapped_column(default="")
    undone_at: Mapped[datetime | None]


class SelfSend(Base):
    """A signer's word that they sent a letter from their own mail app. Never counted as delivered by us."""

    __tablename__ = "self_sends"

    signature_id: Mapped[int] = mapped_column(ForeignKey("signatures.id"), primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"), primary_key=True)
    way: Mapped[str]  #: "mailto", "copy", "gmail", "outlook"
    at: Mapped[datetime]


class Consent(Base):
    """Who agreed to what wording, for which purpose. Append-only: the database refuses to change or delete a row."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    supporter_id: Mapped[int] = mapped_column(ForeignKey("supporters.id"), index=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))
    purpose: Mapped[str]  #: "deliver_letter", "show_name", "updates", …
    given: Mapped[bool]  #: False is a withdrawal
    wording: Mapped[str]
    language: Mapped[str] = mapped_column(default="en")
    source: Mapped[str]  #: "web", "import", "link"
    at: Mapped[datetime]


class Token(Base):
    """A link that was sent, by the hash of its secret. Bound to one purpose; a confirmation also to the exact text."""

    __tablename__ = "tokens"

    hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]  #: "confirm", "receipt", "sign_in"
    signature_id: Mapped[int | None] = mapped_column(ForeignKey("signatures.id"), index=True)
    supporter_id: Mapped[int | None] = mapped_column(ForeignKey("supporters.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    text_hash: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]
