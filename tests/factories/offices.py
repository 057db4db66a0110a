"""Offices that are written to: targets, their contacts, and the lanes of their mailboxes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import Stream
from outreach.keys import Keys
from outreach.models import Channel, Contact, ContactState, Lane, Target, new_ref

from .base import KEYS, NOON, added, hash_address, numbers


def stream_lane(session: Session, stream: Stream, *, now: datetime = NOON) -> Lane:
    """The one lane of a stream, without caps."""
    key = f"stream:{stream.value}"
    found = session.scalar(select(Lane).where(Lane.key == key))
    return found or added(session, Lane(key=key, stream=stream, opens_at=now))


def mailbox_lane(
    session: Session,
    address: str,
    *,
    per_hour: int | None = None,
    per_day: int | None = None,
    hours: str | None = None,
    days: str = "all",
    zone: str = "UTC",
    now: datetime = NOON,
    keys: Keys = KEYS,
) -> Lane:
    """The lane of a target's mailbox, found again for the same address; uncapped unless the test says otherwise."""
    key = f"mailbox:{hash_address(address, keys)}"
    if found := session.scalar(select(Lane).where(Lane.key == key)):
        return found
    lane = Lane(
        key=key,
        stream=Stream.LETTERS,
        per_hour=per_hour,
        per_day=per_day,
        hours=hours,
        days=days,
        zone=zone,
        opens_at=now,
    )
    return added(session, lane)


def contact(
    session: Session,
    target: Target,
    *,
    email: str | None = None,
    state: ContactState = ContactState.OK,
    lane: Lane | None = None,
    now: datetime = NOON,
    keys: Keys = KEYS,
    **pace: Any,
) -> Contact:
    """A target's current email contact and its lane. `pace` goes to `mailbox_lane`."""
    email = email or f"office{next(numbers)}@example.net"
    row = Contact(
        target_id=target.id,
        channel=Channel.EMAIL,
        value=email,
        address_hash=hash_address(email, keys),
        lane_id=(lane or mailbox_lane(session, email, now=now, keys=keys, **pace)).id,
        state=state,
        created_at=now,
    )
    added(session, row)
    session.expire(target, ["contacts"])
    return row


def target(
    session: Session,
    *,
    name: str | None = None,
    office: str = "Secretary",
    email: str | None = "",
    zone: str = "UTC",
    now: datetime = NOON,
    **pace: Any,
) -> Target:
    """A target with an email contact of its own; `email=None` leaves it without any."""
    n = next(numbers)
    name = name or f"Alex Moreno {n}"
    row = Target(
        ref=new_ref(),
        key=f"{office}|{name}".casefold(),
        name=name,
        office=office,
        salutation=f"Dear {office} {name.split()[-1]}",
        zone=zone,
        created_at=now,
    )
    added(session, row)
    if email is not None:
        contact(session, row, email=email or f"office{n}@example.net", now=now, **pace)
    return row
