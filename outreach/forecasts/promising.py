"""The longest wait that is promised (`OUTREACH_MAX_WAIT_DAYS`): who is told when a mailbox cannot keep it.

Looked at every hour over all mailboxes for which letters wait: one grouped count, and the rules for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.alerts import close_alert, raise_alert
from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.forecast import lane_ends
from outreach.models import Alert, Contact, Delivery
from outreach.settings import Settings

from . import telling, waiting
from .braking import Braked

_KIND = "lane:"
#: An alert that a person has closed is not raised again before the next day.
_ONCE_IN = timedelta(days=1)


def watch_promises(session: Session, *, settings: Settings, now: datetime) -> list[int]:
    """Tell staff of each mailbox whose last letter cannot leave in time, once a day; the lanes that they are told of.

    The alert ends when the promise can be kept again. What a brake keeps is left out: people know of it.
    """
    late = _late(session, settings, now)
    known = _told_lately(session, now)
    for key in known:
        if int(key.removeprefix(_KIND)) not in late:
            close_alert(session, key, now=now)
    targets = _targets_of(session, late)
    told = []
    for lane_id, ends in late.items():
        key = f"{_KIND}{lane_id}"
        if key not in known and raise_alert(session, key, _words(lane_id, targets, ends, settings, now), now=now):
            told.append(lane_id)
    return told


def _late(session: Session, settings: Settings, now: datetime) -> dict[int, datetime | None]:
    """By lane: when its last letter leaves at the soonest, where that is too late; None is not within two years."""
    brakes = Braked.found(session, Stream.LETTERS, settings)
    mine = Delivery.mail_class == MailClass.LETTER
    heaps = waiting.heaps(session, mine, *brakes.allowed)
    lines = waiting.lines(
        session, heaps, campaign_id=None, but=mine, opens_at=now, now=now, bundle_over=settings.bundle_over
    )
    longest = timedelta(days=settings.max_wait_days)
    found: dict[int, datetime | None] = {}
    for lane_id, line in zip(sorted(heaps), lines, strict=True):
        low = lane_ends(line).low
        if low is None or low - heaps[lane_id].youngest > longest:
            found[lane_id] = low
    return found


def _told_lately(session: Session, now: datetime) -> frozenset[str]:
    recent = Alert.closed_at.is_(None) | (Alert.opened_at > now - _ONCE_IN)
    return frozenset(session.scalars(select(Alert.key).where(Alert.key.startswith(_KIND), recent)))


def _targets_of(session: Session, lane_ids: Iterable[int]) -> dict[int, int]:
    rows = session.execute(
        select(Contact.lane_id, Contact.target_id).where(
            Contact.lane_id.in_(list(lane_ids)), Contact.ended_at.is_(None)
        )
    )
    return {lane_id: target_id for lane_id, target_id in rows if lane_id is not None}


def _words(lane_id: int, targets: dict[int, int], ends: datetime | None, settings: Settings, now: datetime) -> str:
    when = (
        "leaves at no time within two years"
        if ends is None
        else f"leaves on {telling.on_a_day(ends, settings.zone, now=now)} at the soonest"
    )
    target = f" {targets[lane_id]}" if lane_id in targets else ""
    return (
        f"The last letter that waits for target{target} (lane {lane_id}) {when}; {settings.max_wait_days} days are"
        " promised. Raise its limits, or give it the daily bundle."
    )
