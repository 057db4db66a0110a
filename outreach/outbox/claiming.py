"""Claim and intend: how a worker takes mails out of the outbox without ever sending one twice.

    claim    queued → claimed   one short transaction; a lease and a token; nothing has left
    intend   claimed → sending  the attempt is committed *before* the first byte can leave; all stops checked again
             (now the transport is called; no transaction is open)
    settle   sending → …        `settling.py`

Every statement is right on PostgreSQL (rows are locked, other workers skip them) and on SQLite (the writing
transaction is exclusive from its first statement; `FOR UPDATE SKIP LOCKED` is left out there by SQLAlchemy).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, insert, literal, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import State, Stream
from outreach.domain.pacing import fair_shares
from outreach.models import Attempt, Delivery, Lane
from outreach.models.base import UTCDateTime

from .books import Books
from .brakes import in_no_scope, scopes_pulled, stops
from .budgets import Purse
from .doors import is_closed, knock, open_door
from .places import Gates, campaigns_waiting, closed_days_of, had_lately, lanes_due, room_of
from .stops import still_allowed


@dataclass(frozen=True, slots=True)
class Claim:
    """Deliveries one worker holds under one token, until `until` unless it renews."""

    token: str
    stream: Stream
    ids: Sequence[int]
    until: datetime
    strikes: int = 0  #: how often in a row the provider had closed; then this is one mail that tries its door


@dataclass(frozen=True, slots=True)
class Going:
    """One delivery whose attempt is committed: it may now be handed over, once."""

    delivery_id: int
    attempt: int


def claim(
    session: Session,
    stream: Stream,
    *,
    transport: str,
    now: datetime,
    limit: int,
    lease: timedelta,
    only_fresh: bool = False,
) -> Claim | None:
    """Take up to `limit` due deliveries of a stream, as many as lanes, brakes and the provider allow; None if none.

    With `only_fresh`, what may have left before is left where it is: it must not leave by another way as well.
    """
    scopes = scopes_pulled(session)
    if stops(scopes, stream, transport) or (door := open_door(session, transport, now=now)) is None:
        return None
    purse = Purse.open(session, stream, now)
    limit = purse.left(f"stream:{stream}", 1 if door.strikes else limit)
    if limit == 0:
        return None
    allowed = in_no_scope(scopes)
    if only_fresh:
        allowed.append(Delivery.maybe_sent.is_(False))
    token, until = secrets.token_hex(16), now + lease
    with Books(session, now=now) as books:
        draw = _Draw(books, purse, Gates.open(session, purse, limit), allowed, limit, token, until)
        _draw_from_lanes(draw, lanes_due(session, stream, now))
    if not draw.ids:
        return None
    purse.draw(f"stream:{stream}", len(draw.ids))
    if door.strikes:
        knock(session, door, now=now)
    return Claim(token, stream, draw.ids, until, door.strikes)


@dataclass
class _Draw:
    """What one claim has taken so far, and how it takes more."""

    books: Books
    purse: Purse
    gates: Gates
    allowed: Sequence[ColumnElement[bool]]
    left: int
    token: str
    until: datetime
    ids: list[int] = field(default_factory=list)

    def take(self, lane_ids: Sequence[int], places: int, *more: ColumnElement[bool]) -> int:
        """Take up to `places` due deliveries of these lanes, the oldest first; how many it came to."""
        allowed = [*self.allowed, *more]
        allowed += self.gates.conditions(lane_ids, allowed, self.books.now)
        taken = take(self.books, lane_ids, allowed, min(places, self.left), self.token, self.until)
        self.gates.pass_through(self.books.session, self.purse, taken)
        self.ids += taken
        self.left -= len(taken)
        return len(taken)


def _draw_from_lanes(draw: _Draw, lanes: Sequence[Lane]) -> None:
    session, now, free = draw.books.session, draw.books.now, list[int]()
    closed, capped_domains = closed_days_of(session, lanes), set(draw.purse.keys("domain"))
    for lane in lanes:
        in_budget = lane.domain in capped_domains
        is_free = lane.pace_with(closed.get(lane.id, frozenset())).is_free
        if is_free and not in_budget:
            free.append(lane.id)
        elif draw.left > 0:
            places = draw.purse.left(f"domain:{lane.domain}", draw.left) if in_budget else draw.left
            if places > 0 and not is_free:
                places = min(places, room_of(session, lane, closed.get(lane.id, frozenset()), now))
            taken = _share_out(draw, lane.id, places)
            if in_budget:
                draw.purse.draw(f"domain:{lane.domain}", taken)
    draw.take(free, draw.left)


def _share_out(draw: _Draw, lane_id: int, places: int) -> int:
    """Take up to `places` from a mailbox's lane, first for the campaign that had least lately; how many it came to."""
    if places <= 0:
        return 0
    session = draw.books.session
    campaigns = campaigns_waiting(session, lane_id)
    if len(campaigns) < 2:
        return draw.take([lane_id], places)
    had = had_lately(session, lane_id, campaigns, draw.books.now)
    before = draw.left
    while had and before - draw.left < places:
        for campaign_id, share in fair_shares(had, places - (before - draw.left)).items():
            taken = draw.take([lane_id], share, Delivery.campaign_id == campaign_id)
            had[campaign_id] += taken
            if taken < share:
                del had[campaign_id]  # it has no more, and leaves its places to the others
    return before - draw.left


def take(
    books: Books,
    lane_ids: Sequence[int],
    allowed: Iterable[ColumnElement[bool]],
    limit: int,
    token: str,
    until: datetime,
) -> list[int]:
    """queued → claimed for the first `limit` due rows of these lanes, in one statement."""
    if limit <= 0 or not lane_ids:
        return []
    due = (
        select(Delivery.id)
        .where(Delivery.lane_id.in_(lane_ids), Delivery.state == State.QUEUED, Delivery.due_at <= books.now, *allowed)
        .order_by(Delivery.due_at, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
        .prefix_with("MATERIALIZED")  # or the planner may run it again and take more than the limit
    )
    return books.move_where(
        Delivery.id.in_(select(due.c.id)) & (Delivery.state == State.QUEUED),
        State.QUEUED,
        State.CLAIMED,
        claim_token=token,
        claimed_until=until,
    )


def intend(
    session: Session,
    held: Claim,
    ids: Sequence[int],
    *,
    transport: str,
    now: datetime,
    lease: timedelta,
    books: Books,
) -> list[Going]:
    """claimed → sending, with an attempt row each. Commit this before calling the transport.

    The stops are looked at once more: a brake sends the mails back to the queue, a suppressed address ends them, and
    whatever was cancelled, held or taken over since is no longer ours and is left alone.
    """
    scopes = scopes_pulled(session)
    if stops(scopes, held.stream, transport) or is_closed(session, transport, strikes=held.strikes, now=now):
        books.move(ids, State.CLAIMED, State.QUEUED, token=held.token)
        return []
    ids = _without_braked(session, books, held, ids, scopes)
    moved = books.move(
        still_allowed(session, books, held, ids),
        State.CLAIMED,
        State.SENDING,
        token=held.token,
        live=True,
        attempts=Delivery.attempts + 1,
        claimed_until=now + lease,
    )
    if not moved:
        return []
    attempt = select(
        Delivery.id,
        Delivery.attempts,
        Delivery.lane_id,
        literal(held.token),
        literal(transport),
        literal(now, UTCDateTime()),
    ).where(Delivery.id.in_(moved))
    begun = insert(Attempt).from_select(
        ["delivery_id", "number", "lane_id", "claim_token", "transport", "started_at"], attempt
    )
    rows = session.execute(begun.returning(Attempt.delivery_id, Attempt.number))
    return [Going(id_, number) for id_, number in rows]


def _without_braked(
    session: Session, books: Books, held: Claim, ids: Sequence[int], scopes: frozenset[str]
) -> Sequence[int]:
    conditions = in_no_scope(scopes)
    if not conditions or not ids:
        return ids
    going = list(session.scalars(select(Delivery.id).where(Delivery.id.in_(ids), *conditions)))
    books.move([i for i in ids if i not in set(going)], State.CLAIMED, State.QUEUED, token=held.token)
    return going


def release_claim(books: Books, held: Claim, ids: Sequence[int], *, reason: str = "") -> None:
    """Give back what was claimed and not begun. Nothing of it has left."""
    books.move(ids, State.CLAIMED, State.QUEUED, token=held.token, reason=reason)
