"""Which letters of a campaign would have to wait, and why: said on the form, before anybody signs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.models import Addressing, Channel, Contact, ContactState, Target
from outreach.signing import target_label


class Why(StrEnum):
    """What keeps letters from an office."""

    FORM = "form"  #: it takes web forms only
    FULL = "full"  #: its mailbox takes no mail at the moment
    UNKNOWN = "unknown"  #: nobody gave us its address yet


@dataclass(frozen=True, slots=True)
class Delay:
    """One office whose letters would wait."""

    target: str
    why: Why


def delays(session: Session, campaign_id: int) -> tuple[Delay, ...]:
    """The campaign's offices that no mail reaches now, in its order."""
    reached_by = (
        select(Target, Contact.channel, Contact.state)
        .join(Addressing, Addressing.target_id == Target.id)
        .outerjoin(Contact, (Contact.target_id == Target.id) & Contact.ended_at.is_(None))
        .where(Addressing.campaign_id == campaign_id)
        .order_by(Addressing.position, Addressing.id)
    )
    ways: dict[str, set[tuple[Channel, ContactState]]] = {}
    for target, channel, state in session.execute(reached_by):
        ways.setdefault(target_label(target), set()).add((channel, state))
    return tuple(Delay(label, _why(found)) for label, found in ways.items() if not _is_reached(found))


def _is_reached(ways: set[tuple[Channel, ContactState]]) -> bool:
    return (Channel.EMAIL, ContactState.OK) in ways


def _why(ways: set[tuple[Channel, ContactState]]) -> Why:
    channels = {channel for channel, _state in ways}
    if Channel.EMAIL in channels:
        return Why.FULL
    return Why.FORM if Channel.WEBFORM in channels else Why.UNKNOWN
