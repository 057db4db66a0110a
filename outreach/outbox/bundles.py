"""Bundles: for an office that wants it so, or that too many letters wait for, one mail holds all letters of a campaign.

Each letter keeps its own delivery, attempt and state. The attempts of a bundle are committed together, before the one
mail is handed over; they name the bundle, and only the first counts against the mailbox's cap. What an office may get
today is told by `heaps.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from outreach import holidays
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.pacing import first_instant
from outreach.models import Attempt, Bundle, Delivery, Lane, new_ref

from .books import Books
from .brakes import in_no_scope, scopes_pulled, stops
from .budgets import Purse
from .claiming import Claim, Going, intend, take
from .doors import knock, open_door
from .heaps import MOST_LETTERS, heaps_of
from .places import Gates, room_of


@dataclass(frozen=True, slots=True)
class BundleClaim:
    """Letters of one campaign to one target that one worker holds, to be handed over as one mail.

    `part`: which mail of the day it is to that target from that campaign.
    """

    held: Claim
    lane_id: int
    target_id: int
    campaign_id: int
    part: int = 1


@dataclass(frozen=True)
class _Terms:
    """What every lane is asked in one claim."""

    gates: Gates
    purse: Purse
    allowed: Sequence[ColumnElement[bool]]
    now: datetime
    lease: timedelta
    strikes: int


def claim_bundle(
    session: Session, *, transport: str, now: datetime, lease: timedelta, over: int = 0, only_fresh: bool = False
) -> BundleClaim | None:
    """Take the letters of the next office that should get a bundle now; None when there is no such office.

    Offices are those whose lane says so and, unless `over` is 0, those for which more letters than that wait. An office
    gets one bundle a day of each campaign, in its hours and within its cap, the longest wait first. With `only_fresh`,
    what may have left before is left where it is: it must not leave by another way as well.
    """
    scopes = scopes_pulled(session)
    if stops(scopes, Stream.LETTERS, transport) or (door := open_door(session, transport, now=now)) is None:
        return None
    purse = Purse.open(session, Stream.LETTERS, now)
    if purse.left(f"stream:{Stream.LETTERS}", 1) == 0:
        return None
    allowed = in_no_scope(scopes)
    if only_fresh:
        allowed.append(Delivery.maybe_sent.is_(False))
    terms = _Terms(Gates.open(session, purse, MOST_LETTERS), purse, allowed, now, lease, door.strikes)
    for lane in _lanes(session, over, now):
        if purse.left(f"domain:{lane.domain}", 1) == 0 or not _has_room(session, lane, now):
            continue
        claimed = _take_oldest(session, lane, terms)
        if claimed is not None:
            purse.draw(f"stream:{Stream.LETTERS}", 1)
            purse.draw(f"domain:{lane.domain}", 1)
            if door.strikes:
                knock(session, door, now=now)
            return claimed
    return None


def _lanes(session: Session, over: int, now: datetime) -> Sequence[Lane]:
    """Lanes that get bundles and have a letter due. Locked, as those of single letters are."""
    due = (Delivery.lane_id == Lane.id) & (Delivery.state == State.QUEUED) & (Delivery.due_at <= now)
    wanted = Lane.bundle & (Lane.opens_at <= now) & exists().where(due)
    if over:
        crowd = select(func.count()).select_from(Delivery).where(due).correlate(Lane).scalar_subquery()
        wanted = wanted | (Lane.bundle.is_(False) & Lane.key.startswith("mailbox:") & (crowd > over))
    lanes = select(Lane).where(Lane.stream == Stream.LETTERS, wanted).order_by(func.random())
    return session.scalars(lanes.with_for_update(skip_locked=True, key_share=True)).all()


def _has_room(session: Session, lane: Lane, now: datetime) -> bool:
    """Whether the office is open and bears one more mail. If not, the lane is shut until it may."""
    pace = holidays.pace_of(session, lane)
    if pace.hours is not None and not pace.hours.is_open(now):
        _shut(session, lane, now)
        return False
    closed = pace.hours.closed if pace.hours else frozenset()
    return pace.is_free or room_of(session, lane, closed, now) > 0


def _shut(session: Session, lane: Lane, until: datetime) -> None:
    """Pass the lane over until its first open moment from `until`; another lane's single letters go at their pace."""
    if lane.bundle:
        hours = holidays.pace_of(session, lane).hours
        lane.opens_at = hours.next_opening(until) if hours else until
        session.flush()


def _take_oldest(session: Session, lane: Lane, terms: _Terms) -> BundleClaim | None:
    """Claim the heap that has waited longest, of those that may go today; when all of them went, shut the lane."""
    zone = ZoneInfo(lane.zone)
    today = terms.now.astimezone(zone).date()
    waiting = heaps_of(session, lane, since=first_instant(today, time(0), zone), now=terms.now)
    conditions = [
        *terms.allowed,
        *terms.gates.conditions([lane.id], terms.allowed, terms.now),
        Delivery.mail_class == MailClass.LETTER,
    ]
    token, until = secrets.token_hex(16), terms.now + terms.lease
    for heap in waiting.heaps:
        with Books(session, now=terms.now) as books:
            ids = take(books, [lane.id], [*conditions, heap.letters], heap.places, token, until)
        if ids:
            terms.gates.pass_through(session, terms.purse, ids)
            held = Claim(token, Stream.LETTERS, ids, until, terms.strikes)
            return BundleClaim(held, lane.id, heap.target_id, heap.campaign_id, heap.part)
    if waiting.is_done:
        _shut(session, lane, first_instant(today + timedelta(days=1), time(0), zone))
    return None


def intend_bundle(
    session: Session,
    claimed: BundleClaim,
    ids: Sequence[int],
    *,
    transport: str,
    now: datetime,
    lease: timedelta,
    books: Books,
) -> tuple[str, list[Going]]:
    """claimed → sending for those that may still go: the bundle's ref and its letters. Commit before handing over."""
    going = intend(session, claimed.held, ids, transport=transport, now=now, lease=lease, books=books)
    if not going:
        return "", []
    bundle = Bundle(
        ref=new_ref(),
        lane_id=claimed.lane_id,
        target_id=claimed.target_id,
        campaign_id=claimed.campaign_id,
        letters=len(going),
        created_at=now,
    )
    session.add(bundle)
    session.flush()
    first = min(g.delivery_id for g in going)
    mine = (Attempt.delivery_id.in_([g.delivery_id for g in going])) & (Attempt.claim_token == claimed.held.token)
    session.execute(update(Attempt).where(mine).values(bundle_id=bundle.id, counted=Attempt.delivery_id == first))
    return bundle.ref, going


def keep_together(session: Session, going: Sequence[Going]) -> None:
    """A bundle that was not taken goes again as one: its letters come due at one moment, the earliest of theirs."""
    again = Delivery.id.in_([g.delivery_id for g in going]) & (Delivery.state == State.QUEUED)
    earliest = session.scalar(select(func.min(Delivery.due_at)).where(again))
    if earliest is not None:
        session.execute(
            update(Delivery).where(again).values(due_at=earliest).execution_options(synchronize_session=False)
        )


def bundled_letters(session: Session, refs: Sequence[str]) -> dict[str, list[Going]]:
    """The letters of these bundles, by the bundles' refs; a ref that is no bundle's is left out."""
    found: dict[str, list[Going]] = {}
    rows = session.execute(
        select(Bundle.ref, Attempt.delivery_id, Attempt.number)
        .join(Attempt, Attempt.bundle_id == Bundle.id)
        .where(Bundle.ref.in_(refs))
        .order_by(Attempt.delivery_id)
    )
    for ref, delivery_id, number in rows:
        found.setdefault(ref, []).append(Going(delivery_id, number))
    return found
