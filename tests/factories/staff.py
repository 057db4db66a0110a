"""Those who sign in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from outreach.models import Role, User

from .base import NOON, added, numbers


def user(
    session: Session,
    *,
    email: str | None = None,
    name: str = "Sam Organizer",
    role: Role = Role.ORGANIZER,
    password_hash: str = "",
    now: datetime = NOON,
) -> User:
    """Somebody who may sign in."""
    email = email or f"user{next(numbers)}@example.com"
    return added(session, User(email=email, name=name, role=role, password_hash=password_hash, created_at=now))
