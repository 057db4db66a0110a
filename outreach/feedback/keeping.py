"""Reports as they come: each is one row under the provider's id, however often it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from outreach.domain.events import Event
from outreach.models import ProviderEvent, insert_into


def keep(session: Session, events: Iterable[Event], *, env: str, now: datetime) -> list[str]:
    """Write down reports that are ours and new, to be applied later; their ids.

    One that names another environment is of an engine that shares the provider's account: not ours to keep.
    """
    # Sorted, so that two requests with the same reports take them in one order and never wait in a ring.
    ours = {event.id: event for event in sorted(events, key=lambda e: e.id) if event.env in (None, env)}
    if not ours:
        return []
    rows = [
        {
            "id": event.id,
            "attempt": event.attempt,
            "kind": event.kind,
            "at": event.at,
            "received_at": now,
            "reason": event.reason,
            "env": event.env,
            "ref": event.delivery or "",
            "address_hash": event.address_hash,
            "hard": event.is_hard,
            "cause": event.cause,
            "raw": dict(event.raw) if event.raw is not None else None,
        }
        for event in ours.values()
    ]
    return list(
        session.scalars(insert_into(session, ProviderEvent).on_conflict_do_nothing().returning(ProviderEvent.id), rows)
    )
