"""Bundles: for an office that wants it so, or that too many letters wait for, one mail a day holds all its letters.

Each letter keeps its own delivery, attempt and state. The attempts of a bundle are committed together, before the one
mail is handed over; they name the bundle, and only the first counts against the mailbox's cap.
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
from .places import Gates, room_of

#: Letters in one bundle. What waits beyond that comes the next day.
MOST_LETTERS = 3_000


@dataclass(frozen=True, slots=True)
class BundleClaim:
    """Letters of one campaign to one target that one worker holds, to be handed over as one mail."""

    held: Claim
    lane_id: int
    target_id: int
    campaign_id: int


def claim_bundle(
    session: Session, *, transport: str, now: datetime, lease: timedelta, over: int = 0
) -> BundleClaim | None:
    """Take the letters of the next office that should get its bundle now; None when there is no such office.

    Offices are those whose lane says so and, unless `over` is 0, those for which more letters than that wait. An office
    gets one bundle a day, in its hours, from the campaign whose letters have waited longest.
    """
    scopes = scopes_pulled(session)
    if stops(scopes, Stream.LETTERS, transport) or (door := open_door(session, transport, now=now)) is None:
        return None
    purse = Purse.open(session, Stream.LETTERS, now)
    if purse.left(f"stream:{Stream.LETTERS}", 1) == 0:
        return None
    gates, allowed = Gates.open(session, purse, MOST_LETTERS), in_no_scope(scopes)
    for lane in _lanes(session, over, now):
        if purse.left(f"domain:{lane.domain}", 1) == 0 or not _is_its_hour(session, lane, now):
            continue
        claimed = _take_oldest(session, lane, gates, purse, allowed, now=now, lease=lease, strikes=door.strikes)
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


def _is_its_hour(session: Session, lane: Lane, now: datetime) -> bool:
    """Whether the office is open, bears one more mail, and has had no bundle today. If not, when to look again."""
    pace = holidays.pace_of(session, lane)
    zone = ZoneInfo(lane.zone)
    today = now.astimezone(zone).date()
    midnight = first_instant(today, time(0), zone)
    had = exists().where(
        Bundle.lane_id == lane.id,
        Bundle.created_at >= midnight,
        Attempt.bundle_id == Bundle.id,
        Attempt.outcome.is_(None) | (Attempt.outcome != "unavailable"),
    )
    if session.scalar(select(had)):
        opens_at = first_instant(today + timedelta(days=1), time(0), zone)
    elif pace.hours is not None and not pace.hours.is_open(now):
        opens_at = now
    else:
        closed = pace.hours.closed if pace.hours else frozenset()
        return pace.is_free or room_of(session, lane, closed, now) > 0
    if lane.bundle:  # another lane's single letters go on at their own pace
        lane.opens_at = pace.hours.next_opening(opens_at) if pace.hours else opens_at
        session.flush()
    return False


def _take_oldest(
    session: Session,
    lane: Lane,
    gates: Gates,
    purse: Purse,
    allowed: Sequence[ColumnElement[bool]],
    *,
    now: datetime,
    lease: timedelta,
    strikes: int,
) -> BundleClaim | None:
    conditions = [*allowed, *gates.conditions([lane.id], allowed, now), Delivery.mail_class == MailClass.LETTER]
    first = session.execute(
        select(Delivery.target_id, Delivery.campaign_id)
        .where(Delivery.lane_id == lane.id, Delivery.state == State.QUEUED, Delivery.due_at <= now, *conditions)
        .order_by(Delivery.due_at, Delivery.id)
        .limit(1)
    ).one_or_none()
    if first is None:
        return None
    target_id, campaign_id = first
    of_it = [*conditions, Delivery.target_id == target_id, Delivery.campaign_id == campaign_id]
    token, until = secrets.token_hex(16), now + lease
    with Books(session, now=now) as books:
        ids = take(books, [lane.id], of_it, MOST_LETTERS, token, until)
    gates.pass_through(session, purse, ids)
    if not ids or target_id is None:
        return None
    return BundleClaim(Claim(token, Stream.LETTERS, ids, until, strikes), lane.id, target_id, campaign_id)


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
