"""What a provider reports, in our words. Provider words stop at `webhooks/`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .deliveries import EventState


class EventKind(StrEnum):
    """What happened. UNKNOWN is stored and changes nothing."""

    PROCESSED = "processed"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    BLOCKED = "blocked"  #: refused, but the address is fine
    DROPPED = "dropped"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    UNKNOWN = "unknown"


#: The kinds that say something about delivery, and what they make of `event_state`.
STATES: dict[EventKind, EventState] = {
    EventKind.PROCESSED: EventState.PROCESSED,
    EventKind.DEFERRED: EventState.DEFERRED,
    EventKind.DELIVERED: EventState.DELIVERED,
    EventKind.BOUNCED: EventState.BOUNCED,
    EventKind.BLOCKED: EventState.BOUNCED,
    EventKind.DROPPED: EventState.DROPPED,
    EventKind.COMPLAINED: EventState.COMPLAINED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One report about one mail."""

    id: str  #: the provider's; the same report sent again carries the same id
    kind: EventKind
    at: datetime
    delivery: str | None = None  #: our opaque id, as we sent it along; None when the provider did not return it
    attempt: int | None = None
    env: str | None = None
    reason: str = ""  #: the far server's words: hostile text, at most 500 characters
