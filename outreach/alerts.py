"""What people should know: one open alert for each thing that is wrong, until somebody or something ends it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from outreach.models import Alert, insert_into


def raise_alert(session: Session, key: str, message: str, *, now: datetime) -> bool:
    """Tell people, once: False when an alert with this key stands open already.

    `key` names the thing ("transport:sendgrid", "wave:3", "contact:12"); `message` is a sentence with ids in it and
    never an address.
    """
    new = insert_into(session, Alert).values(key=key, message=message[:500], opened_at=now).on_conflict_do_nothing()
    return session.execute(new.returning(Alert.id)).first() is not None


def close_alert(session: Session, key: str, *, by: str = "engine", now: datetime) -> bool:
    """It is over. False when nothing stood open."""
    closed = session.execute(
        update(Alert)
        .where(Alert.key == key, Alert.closed_at.is_(None))
        .values(closed_at=now, closed_by=by)
        .returning(Alert.id)
    )
    return closed.first() is not None


def standing(session: Session) -> list[Alert]:
    """What is wrong now, oldest first."""
    return list(session.scalars(select(Alert).where(Alert.closed_at.is_(None)).order_by(Alert.opened_at, Alert.id)))
