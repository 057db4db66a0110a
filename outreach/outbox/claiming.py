"""Claim, intend, settle: how a worker takes mails out of the outbox without ever sending one twice.

    claim    queued → claimed   one short transaction; a lease and a token; nothing has left
    intend   claimed → sending  the attempt is committed *before* the first byte can leave; all stops checked again
             (now the transport is called; no transaction is open)
    settle   sending → …        what the answer means; carries the token, so that a late worker changes nothing
    rescue   leases that ran out: a claimed mail goes back to the queue, a sending one is *in doubt*

Every statement is right on PostgreSQL (rows are locked, other workers skip them) and on SQLite (the writing
transaction is exclusive from its first statement; `FOR UPDATE SKIP LOCKED` is left out there by SQLAlchemy).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, exists, func, insert, select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import (
    MAX_ATTEMPTS,
    State,
    Stream,
    called_off,
    retry_delay,
)
from outreach.domain.pacing import DAY, room
from outreach.models import Anomaly, Attempt, Delivery, Lane
from outreach.suppression import suppressed_among
from outreach.transports.base import NoAnswer, Receipt, Refused, Unavailable

from .books import Books
from .brakes import close_provider, in_no_scope, provider_state, reopen_provider, scopes_pulled, stops

#: More unanswered hand-overs than this in one round, and most of the round: the provider hangs; stop feeding it.
_HANGING = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """Deliveries one worker holds under one token, until `until` unless it renews."""

    token: str
    stream: Stream
    ids: Sequence[int]
    until: datetime
    strikes: int = 0  #: how often in a row the provider had closed when this was claimed


@dataclass(frozen=True, slots=True)
class Going:
    """One delivery whose attempt is committed: it may now be handed over, once."""

    delivery_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one hand-over."""

    going: Going
    outcome: Receipt | Refused | Unavailable | NoAnswer


@dataclass(slots=True)
class Settled:
    """What one round came to. `closed`: the provider takes nothing more for now."""

    accepted: list[int] = field(default_factory=list)
    closed: bool = False


def claim(
    session: Session, stream: Stream, *, transport: str, now: datetime, limit: int, lease: timedelta
) -> Claim | None:
    """Take up to `limit` due deliveries of a stream, as many as lanes, brakes and the provider allow; None if none."""
    scopes = scopes_pulled(session)
    provider = provider_state(session, transport)
    if stops(scopes, stream) or (provider and provider.closed_until and provider.closed_until > now):
        return None
    token = secrets.token_hex(16)
    until = now + lease
    allowed = in_no_scope(scopes)
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
    return Claim(token, stream, ids, until, provider.strikes if provider else 0)


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
    if stops(scopes, held.stream):
        books.move(ids, State.CLAIMED, State.QUEUED, token=held.token)
        return []
    ids = _without_braked(session, books, held, ids, scopes)
    ids = _without_suppressed(session, books, held, ids)
    moved = books.move(
        ids,
        State.CLAIMED,
        State.SENDING,
        token=held.token,
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


def _without_suppressed(session: Session, books: Books, held: Claim, ids: Sequence[int]) -> Sequence[int]:
    rows = session.execute(
        select(Delivery.id, Delivery.address_hash, Delivery.campaign_id, Delivery.maybe_sent).where(
            Delivery.id.in_(ids)
        )
    ).all()
    scopes = ["all", *{f"campaign:{row.campaign_id}" for row in rows}]
    if held.stream is Stream.NEWS:
        scopes.append("news")
    # Over all campaigns of the round at once; the rare hit is then looked at by itself.
    hits = suppressed_among(session, {row.address_hash for row in rows if row.address_hash}, scopes=scopes)
    if not hits:
        return ids
    stopped = set()
    for row in rows:
        own = ["all", f"campaign:{row.campaign_id}", *(["news"] if held.stream is Stream.NEWS else [])]
        if row.address_hash in hits and suppressed_among(session, [row.address_hash], scopes=own):
            end = called_off(State.SUPPRESSED, maybe_sent=row.maybe_sent)
            books.move([row.id], State.CLAIMED, end, token=held.token, reason="suppressed")
            stopped.add(row.id)
    return [i for i in ids if i not in stopped]


def release_claim(books: Books, held: Claim, ids: Sequence[int], *, reason: str = "") -> None:
    """Give back what was claimed and not begun. Nothing of it has left."""
    books.move(ids, State.CLAIMED, State.QUEUED, token=held.token, reason=reason)


def settle(
    session: Session,
    held: Claim,
    answers: Sequence[Answer],
    *,
    transport: str,
    now: datetime,
    retry_base: timedelta,
    books: Books,
) -> Settled:
    """Write down what came of a round of hand-overs.

    Proof of acceptance counts whoever brings it, and whenever. Every other answer counts only under the token the
    mail is still held by: a worker that was away too long changes nothing.
    """
    result = Settled()
    accepted = [a for a in answers if isinstance(a.outcome, Receipt)]
    _end_attempts(session, accepted, "accepted", now)
    result.accepted = _accept(session, books, held, accepted, now)
    if accepted and held.strikes:
        reopen_provider(session, transport, now=now)

    refused = [a for a in answers if isinstance(a.outcome, Refused)]
    _end_attempts(session, refused, "refused", now)
    for answer in refused:
        reason = answer.outcome.detail if isinstance(answer.outcome, Refused) else ""
        books.move([answer.going.delivery_id], State.SENDING, State.REJECTED, token=held.token, reason=reason)

    silent = [a for a in answers if isinstance(a.outcome, NoAnswer)]
    _end_attempts(session, silent, "unknown", now)
    doubt(books, [a.going.delivery_id for a in silent], now, reason="no answer", token=held.token)

    away = [a for a in answers if isinstance(a.outcome, Unavailable)]
    _end_attempts(session, away, "unavailable", now)
    for answer in away:
        if isinstance(answer.outcome, Unavailable):
            _try_later(session, books, held, answer.going.delivery_id, answer.outcome, now, retry_base)

    for answers_, outcome in ((accepted, "accepted"), (refused, "refused"), (silent, "unknown"), (away, "unavailable")):
        if answers_:
            books.count_attempt(held.stream, outcome, len(answers_))

    closing = [a.outcome for a in away if isinstance(a.outcome, Unavailable) and a.outcome.whole]
    if closing:
        longest = max((u.retry_after for u in closing if u.retry_after), default=None)
        close_provider(session, transport, reason=closing[0].detail, retry_after=longest, now=now)
    elif len(silent) > _HANGING and len(silent) * 2 > len(answers):
        close_provider(session, transport, reason="it does not answer", retry_after=None, now=now)
        closing = []
        result.closed = True
    result.closed = result.closed or bool(closing)
    return result


def _end_attempts(session: Session, answers: Sequence[Answer], outcome: str, now: datetime) -> None:
    if not answers:
        return
    table = Attempt.__table__
    # Acceptance also overwrites the "unknown" that a rescue wrote while we were away; nothing else does.
    still_open = table.c.outcome.is_(None) if outcome != "accepted" else table.c.outcome.is_distinct_from("accepted")
    session.execute(
        update(table)  # type: ignore[arg-type]
        .where(table.c.delivery_id == bindparam("d"), table.c.number == bindparam("a"), still_open)
        .values(outcome=outcome, ended_at=now, provider_id=bindparam("p"), detail=bindparam("t")),
        [
            {
                "d": a.going.delivery_id,
                "a": a.going.attempt,
                "p": a.outcome.provider_id if isinstance(a.outcome, Receipt) else "",
                "t": "" if isinstance(a.outcome, Receipt) else a.outcome.detail,
            }
            for a in answers
        ],
    )


def _accept(session: Session, books: Books, held: Claim, answers: Sequence[Answer], now: datetime) -> list[int]:
    ids = [a.going.delivery_id for a in answers]
    moved = books.move(ids, State.SENDING, State.ACCEPTED, token=held.token, accepted_at=now)
    late = sorted(set(ids) - set(moved))
    return moved + accept_evidence(session, books, late, now) if late else moved


#: States that proof of acceptance ends. `SENDING` here is another worker's authorised resend: the first copy arrived.
_OPEN_TO_PROOF = (State.SENDING, State.IN_DOUBT, State.QUEUED, State.CLAIMED, State.HELD, State.GIVEN_UP)
_CONTRADICTS = (State.REJECTED, State.DEAD, State.SUPPRESSED, State.CANCELLED)


def accept_evidence(session: Session, books: Books, ids: Sequence[int], now: datetime) -> list[int]:
    """Somebody proved that the provider took these; where the books say it never left, note the contradiction."""
    moved: list[int] = []
    for state in _OPEN_TO_PROOF:
        moved += books.move(ids, state, State.ACCEPTED, reason="proved", accepted_at=now, doubt_since=None)
    rest = sorted(set(ids) - set(moved))
    if rest:
        odd = session.scalars(select(Delivery.id).where(Delivery.id.in_(rest), Delivery.state.in_(_CONTRADICTS)))
        session.add_all(
            Anomaly(delivery_id=id_, kind="accepted_after_all", detail="the provider has it", at=now) for id_ in odd
        )
    return moved


def doubt(books: Books, ids: Sequence[int], now: datetime, *, reason: str, token: str | None = None) -> list[int]:
    """sending → in doubt. From here on only evidence, policy or a person moves it."""
    return books.move(ids, State.SENDING, State.IN_DOUBT, token=token, reason=reason, maybe_sent=True, doubt_since=now)


def _try_later(
    session: Session,
    books: Books,
    held: Claim,
    id_: int,
    away: Unavailable,
    now: datetime,
    retry_base: timedelta,
) -> None:
    """sending → queued with a later due time; or dead, when it has been tried often enough."""
    tries, maybe_sent = session.execute(select(Delivery.tries, Delivery.maybe_sent).where(Delivery.id == id_)).one()
    tries += 0 if away.whole else 1
    if tries >= MAX_ATTEMPTS:
        # One that may have left in an earlier attempt is in doubt still; "dead" would claim that it never did.
        if maybe_sent:
            doubt(books, [id_], now, reason="tries used up", token=held.token)
        else:
            books.move([id_], State.SENDING, State.DEAD, token=held.token, reason=f"tries used up: {away.detail}")
        return
    delay = max(away.retry_after or timedelta(0), retry_delay(max(tries, 1) - 1, base=retry_base))
    books.move(
        [id_], State.SENDING, State.QUEUED, token=held.token, reason=away.detail, due_at=now + delay, tries=tries
    )


def bury(books: Books, held: Claim, id_: int, reason: str, *, maybe_sent: bool) -> None:
    """claimed → dead: it cannot be made into a mail. Said so; the others go on."""
    books.move([id_], State.CLAIMED, called_off(State.DEAD, maybe_sent=maybe_sent), token=held.token, reason=reason)


def rescue(session: Session, *, now: datetime) -> tuple[int, int]:
    """Free what dead workers held: (requeued, put in doubt).

    A claimed mail has certainly not left and is queued again. A sending one may have left: it is in doubt, and its
    attempt ends now as unknown, so that it keeps counting against its lane's cap.
    """
    with Books(session, now=now) as books:
        over = Delivery.claimed_until <= now
        freed = books.move_where(
            (Delivery.state == State.CLAIMED) & over, State.CLAIMED, State.QUEUED, reason="its worker went away"
        )
        lost = books.move_where(
            (Delivery.state == State.SENDING) & over,
            State.SENDING,
            State.IN_DOUBT,
            reason="its worker went away while handing it over",
            maybe_sent=True,
            doubt_since=now,
        )
        if lost:
            session.execute(
                update(Attempt)
                .where(Attempt.delivery_id.in_(lost), Attempt.outcome.is_(None))
                .values(outcome="unknown", ended_at=now, detail="no answer was written down")
            )
    return len(freed), len(lost)
