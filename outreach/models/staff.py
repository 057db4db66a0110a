"""The people who run the engine, what they did, and the processes that do the work."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, Id, by_value


class Role(StrEnum):
    ORGANIZER = "organizer"  #: campaigns, letters, waves
    STAFF = "staff"  #: all that, and the queue, the brakes, the suppression list


class User(Base):
    """Somebody who signs in. `epoch` counts up on a new password: every older session ends."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(by_value(Role))
    password_hash: Mapped[str] = mapped_column(default="")  #: Argon2id; "" can sign in by link only
    epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SignedIn(Base):
    """A session, by the hash of its secret; the cookie holds the secret and nothing else."""

    __tablename__ = "sessions"

    hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    epoch: Mapped[int]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user: Mapped[User] = relationship()


class AuditEntry(Base):
    """Who did what to what. Append-only: the database refuses to change or delete a row."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]  #: "user:4", "cli", "engine"
    action: Mapped[str]  #: "campaign.publish", "brake.pull", …
    subject: Mapped[str]  #: "campaign:7"
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Heartbeat(Base):
    """A process that is alive says so here every few seconds. Fresh means alive; existing means nothing."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)  #: "worker:host:pid"
    kind: Mapped[str]  #: "worker", "beat", "web"
    version: Mapped[str] = mapped_column(default="")
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    in_flight: Mapped[int] = mapped_column(default=0)
