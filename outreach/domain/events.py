"""What a provider reports, in our words. Provider words stop at `webhooks/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

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
    RESUBSCRIBED = "resubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    ACCOUNT = "account"  #: about our account with the provider, not about a mail
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


class Cause(StrEnum):
    """Why a mail did not arrive, and so whose trouble it is: the address's, the moment's or ours."""

    BAD_ADDRESS = "bad_address"  #: no such mailbox or domain, or it is disabled
    UNAVAILABLE = "unavailable"  #: full, slow or away; the address may be fine tomorrow
    REFUSED = "refused"  #: for policy, reputation or content: about our mail, not about the address
    COMPLAINED = "complained"  #: it arrived, and its reader called it spam
    BOUNCED_BEFORE = "bounced_before"  #: the provider did not even try, since an earlier mail bounced
    COMPLAINED_BEFORE = "complained_before"  #: likewise, since its reader called one spam
    UNSUBSCRIBED_BEFORE = "unsubscribed_before"  #: likewise, since its reader said stop
    NOT_SENDABLE = "not_sendable"  #: dropped for a fault of ours: a header, a quota, too late


#: The causes that close an address.
HARD = frozenset({Cause.BAD_ADDRESS, Cause.BOUNCED_BEFORE})


@dataclass(frozen=True, slots=True)
class Event:
    """One report about one mail."""

    id: str  #: the provider's; the same report sent again carries the same id
    kind: EventKind
    at: datetime
    delivery: str | None = None  #: our opaque id, as we sent it along; None when the provider did not return it
    attempt: int | None = None
    env: str | None = None
    reason: str = ""  #: the far server's words: hostile text, at most 500 characters, without addresses
    cause: Cause | None = None  #: of a bounce, block, drop or complaint
    address_hash: str | None = None  #: whom it is about
    raw: Mapping[str, Any] | None = None  #: as it came, without anything personal

    @property
    def is_hard(self) -> bool:
        """Whether the address is bad, not just this mail. A bounce that says no more than that it is one, is."""
        return self.cause in HARD if self.cause else self.kind is EventKind.BOUNCED


_STATUS = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)")


def cause_of_status(text: str) -> Cause | None:
    """What the first enhanced status code in `text` says ("550 5.1.1 no such user"); None where none says anything.

    The numbers are those of RFC 3463: class, subject, detail.
    """
    found = _STATUS.search(text)
    if found is None:
        return None
    class_, subject, detail = (int(number) for number in found.groups())
    if subject in (5, 6, 7):
        return Cause.REFUSED
    if class_ == 4:
        return Cause.UNAVAILABLE
    if subject == 1:
        return Cause.REFUSED if detail in (7, 8) else Cause.BAD_ADDRESS  # 7 and 8 are about the sender's address
    if subject in (2, 3, 4):
        return Cause.BAD_ADDRESS if (subject, detail) == (2, 1) else Cause.UNAVAILABLE
    return None
