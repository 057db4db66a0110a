"""Heaps: the letters of one campaign that wait for one office, and what of them went today.

An office gets the letters of each campaign once a day. What was due when the day's first mail was made up still
belongs to it, and follows in a further mail when it was too much for one; what comes due later waits for tomorrow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, State
from outreach.models import Attempt, Bundle, Delivery, Lane

#: Letters that an office gets from one campaign in a day. What waits beyond that comes the next day.
MOST_LETTERS = 3_000


@dataclass(frozen=True, slots=True)
class Heap:
    """Letters of one campaign for one office. `part`: which mail of the day theirs would be."""

    target_id: int
    campaign_id: int
    part: int = 1
    places: int = MOST_LETTERS  #: letters that may still go today
    begun: datetime | None = None  #: when the first mail of the day was made up
    mails: tuple[int, ...] = ()  #: the day's bundles, those that were not taken included

    @property
    def letters(self) -> ColumnElement[bool]:
        """Which deliveries of the lane belong to it today."""
        mine = (Delivery.target_id == self.target_id) & (Delivery.campaign_id == self.campaign_id)
        if self.begun is None:
            return mine
        was_in_one = exists().where(Attempt.delivery_id == Delivery.id, Attempt.bundle_id.in_(self.mails))
        return mine & ((Delivery.due_at <= self.begun) | was_in_one)


class Today(NamedTuple):
    """The heaps of a lane that may go now, the longest wait first; and whether each had its mail already."""

    heaps: list[Heap]
    is_done: bool


def heaps_of(session: Session, lane: Lane, *, since: datetime, now: datetime) -> Today:
    """What waits in a lane, and what of it went `since` the day began there."""
    of_lane = (Delivery.lane_id == lane.id) & (Delivery.mail_class == MailClass.LETTER)
    due = _kinds(of_lane & (Delivery.state == State.QUEUED) & (Delivery.due_at <= now))
    waiting = session.execute(due.order_by(func.min(Delivery.due_at), Delivery.campaign_id)).all()
    # What another worker holds becomes a mail of today's in a moment: nobody else begins one beside it.
    flying = session.execute(_kinds(of_lane & Delivery.state.in_([State.CLAIMED, State.SENDING]))).all()
    had = _had(session, lane, since)
    heaps = [
        _heap(target_id, campaign_id, had.get((target_id, campaign_id), []))
        for target_id, campaign_id in waiting
        if target_id is not None and (target_id, campaign_id) not in flying
    ]
    return Today(heaps, bool(heaps) and not flying and all(heap.begun for heap in heaps))


def _kinds(condition: ColumnElement[bool]) -> Select[int | None, int]:
    kind = Delivery.target_id, Delivery.campaign_id
    return select(*kind).where(condition).group_by(*kind)


class _Mail(NamedTuple):
    id: int
    letters: int
    created_at: datetime
    went: bool


def _had(session: Session, lane: Lane, since: datetime) -> dict[tuple[int, int], list[_Mail]]:
    """The lane's bundles since then, by target and campaign."""
    went = exists().where(
        Attempt.bundle_id == Bundle.id, Attempt.outcome.is_(None) | (Attempt.outcome != "unavailable")
    )
    rows = session.execute(
        select(Bundle.target_id, Bundle.campaign_id, Bundle.id, Bundle.letters, Bundle.created_at, went)
        .where(Bundle.lane_id == lane.id, Bundle.created_at >= since)
        .order_by(Bundle.id)
    )
    found: dict[tuple[int, int], list[_Mail]] = defaultdict(list)
    for target_id, campaign_id, id_, letters, created_at, is_gone in rows:
        found[target_id, campaign_id].append(_Mail(id_, letters, created_at, bool(is_gone)))
    return found


def _heap(target_id: int, campaign_id: int, mails: Sequence[_Mail]) -> Heap:
    went = [mail for mail in mails if mail.went]
    if not went:
        return Heap(target_id, campaign_id)
    return Heap(
        target_id,
        campaign_id,
        part=len(went) + 1,
        places=max(0, MOST_LETTERS - sum(mail.letters for mail in went)),
        begun=went[0].created_at,
        mails=tuple(mail.id for mail in mails),
    )
