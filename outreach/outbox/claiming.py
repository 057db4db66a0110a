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
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, insert, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import State, Stream
from outreach.domain.pacing import DAY, room
from outreach.models import Attempt, Delivery, Lane

from .books import Books
from .brakes import in_no_scope, scopes_pulled, stops
from .doors import is_closed, knock, open_door
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
    limit = 1 if door.strikes else limit
    token = secrets.token_hex(16)
    until = now + lease
    allowed = in_no_scope(scopes)
    if only_fresh:
        allowed.append(Delivery.maybe_sent.is_(False))
    ids: list[int] = []
    with Books(session, now=now) as books:
        free: list[int] = []
        for lane in _lanes_due(session, stream, now):
            if lane.pace.is_free:
                free.append(lane.id)
            elif len(ids) < limit:
                places = min(_room(session, lane, now), limit - len(ids))
                ids += _take(books, [lane.id], allowed, places, token, until)
        ids += _take(books, free, allowed, limit - len(ids), token, until)
    if not ids:
        return None
    if door.strikes:
        knock(session, door, now=now)
    return Claim(token, stream, ids, until, door.strikes)


def _lanes_due(session: Session, stream: Stream, now: datetime) -> Sequence[Lane]:
    """Open lanes with something due. Locked: while one worker counts a lane's room, no other counts it too."""
    waiting = exists().where(Delivery.lane_id == Lane.id, Delivery.state == State.QUEUED, Delivery.due_at <= now)
    paced = (
        Lane.per_hour.is_not(None)
        | Lane.per_day.is_not(None)
        | (func.coalesce(Lane.hours, "always") != "always")
        | (Lane.days != "all")
    )
    open_now = select(Lane).where(Lane.stream == stream, Lane.opens_at <= now, waiting)
    # Free lanes need no lock: nothing is counted for them. The order is by chance, so that none always comes last.
    counted = session.scalars(open_now.where(paced).order_by(func.random()).with_for_update(skip_locked=True)).all()
    return [*counted, *session.scalars(open_now.where(~paced))]


def _room(session: Session, lane: Lane, now: datetime) -> int:
    """How many may leave this lane now; when none, the lane is shut until there may be room again."""
    pace = lane.pace
    # First what flies, then what ended: a mail that lands between the two looks is counted twice, never missed.
    flying = session.execute(
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.lane_id == lane.id, Delivery.state.in_([State.CLAIMED, State.SENDING]))
    ).scalar_one()
    longest = max(pace.per_hour or 0, pace.per_day or 0)
    ended = session.scalars(
        select(Attempt.ended_at)
        .where(Attempt.lane_id == lane.id, Attempt.ended_at >= now - DAY, Attempt.outcome != "unavailable")
        .order_by(Attempt.ended_at.desc())
        .limit(longest)
    ).all()
    left = room(pace, [at for at in reversed(ended) if at is not None], flying, now)
    if left.now == 0:
        lane.opens_at = left.opens_at
        session.flush()
    return left.now


def _take(
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
    rows = session.execute(select(Delivery.id, Delivery.attempts, Delivery.lane_id).where(Delivery.id.in_(moved))).all()
    session.execute(
        insert(Attempt),
        [
            {
                "delivery_id": id_,
                "number": number,
                "lane_id": lane_id,
                "claim_token": held.token,
                "transport": transport,
                "started_at": now,
            }
            for id_, number, lane_id in rows
        ],
    )
    return [Going(id_, number) for id_, number, _ in rows]


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
