"""One claim, worked off in rounds.

A round is as many mails as may be in the air at once (`writing.py`). Its attempts are committed together with the
answers of the round before, so a round costs one transaction; between two transactions the mails are handed over and
no transaction is open. What a killed worker leaves in doubt is one round at most: as many mails as it hands over at
once, or, of mailings that share requests, one request of up to 500.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from outreach.domain.deliveries import State, Stream, called_off
from outreach.domain.messages import Message
from outreach.errors import OutOfReach
from outreach.faultpoints import reached
from outreach.models import Database
from outreach.outbox import (
    Answer,
    Books,
    Claim,
    Going,
    Settled,
    bury,
    claim,
    intend,
    leave_ajar,
    release_claim,
    settle,
    spend_allowance,
)
from outreach.settings import Settings

from .hands import Hands
from .parcels import CannotWrite, Desk, NoLongerConfirmed, NoLongerWanted, Parcel
from .ways import Fallback, Way, way_now
from .writing import write_round

log = structlog.get_logger()
T = TypeVar("T")

#: How long answers are kept in memory while the database is away, and how often it is tried.
PATIENCE, _RETRY_EVERY = 45.0, 0.5
#: A task works this long at a stretch, then rings for itself again: short enough to stop a worker politely.
_STRETCH = 10.0


def send_due(
    db: Database,
    hands: Hands,
    desk: Desk,
    *,
    stream: Stream,
    settings: Settings,
    fallback: Fallback | None = None,
    goes_on: Callable[[], bool] = lambda: True,
    plenty: Callable[[], None] = lambda: None,
) -> int:
    """Send what is due in `stream` until nothing is, or ten seconds have passed. Returns how many were accepted.

    What may leave while the way out of `hands` is closed goes by `fallback`, if there is one. A negative number says
    that nothing at all was due or allowed. `goes_on` is asked before each round; when it says no, or the stretch is
    over, the mails in the air are finished and the rest goes back to the queue. `plenty` is called once when a claim
    came back full: there is work for another process too.
    """
    begun, accepted, found, told = time.monotonic(), 0, False, False

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            plenty()

    def may_go_on() -> bool:
        return goes_on() and time.monotonic() - begun < _STRETCH

    while may_go_on():
        way = way_now(db, hands, fallback, stream=stream)
        batch = _send_batch(db, way, desk, stream=stream, settings=settings, goes_on=may_go_on, full=tell)
        if batch is None:
            break
        found = True
        accepted += batch
    return accepted if found else -1


def _send_batch(
    db: Database,
    way: Way,
    desk: Desk,
    *,
    stream: Stream,
    settings: Settings,
    goes_on: Callable[[], bool],
    full: Callable[[], None],
) -> int | None:
    lease = timedelta(seconds=settings.lease_seconds)
    limit = settings.batch if way.places is None else min(settings.batch, way.places)
    with db.begin() as session:
        held = claim(
            session,
            stream,
            transport=way.name,
            now=db.now(),
            limit=limit,
            lease=lease,
            only_fresh=way.is_fallback,
        )
        reached("before_claim")
    if held is None:
        return None
    reached("after_claim")
    if len(held.ids) >= limit:
        full()
    with db.read() as session:
        parcels = desk.make_up(session, held.ids)
    accepted = _work_off(db, way, held, parcels, settings=settings, goes_on=goes_on)
    log.info("batch_sent", stream=str(stream), claimed=len(held.ids), accepted=accepted)
    return accepted


def _work_off(
    db: Database,
    way: Way,
    held: Claim,
    parcels: Sequence[Parcel],
    *,
    settings: Settings,
    goes_on: Callable[[], bool],
) -> int:
    rest, answers, accepted = parcels, list[Answer](), 0
    while rest or answers:
        width = settings.handovers if goes_on() else 0
        patience = PATIENCE if answers else 0.0
        commit = partial(_turn, db, way, held, rest, answers, width=width, settings=settings)
        turn = while_the_database_is_away(commit, patience)
        accepted += len(turn.settled.accepted)
        rest = turn.rest
        if turn.mails:
            reached("after_intent")
        answers = way.hands.hand_over(turn.mails, deadline=turn.deadline) if turn.mails else []
    return accepted


@dataclass(frozen=True, slots=True)
class _Turn:
    """One committed round: what came of the last one, and the mails that may now be handed over."""

    settled: Settled
    mails: list[tuple[Going, Message]]
    rest: Sequence[Parcel]  #: for the next rounds; nothing once what was left of the claim has gone back
    deadline: float  #: a hand-over that begins later than this (monotonic) cannot be answered within its lease


def _turn(
    db: Database,
    way: Way,
    held: Claim,
    parcels: Sequence[Parcel],
    answers: Sequence[Answer],
    *,
    width: int,
    settings: Settings,
) -> _Turn:
    """One transaction: settle the last round's answers, and commit the attempts of the next; with no `width`, stop."""
    transport, lease = way.name, timedelta(seconds=settings.lease_seconds)
    now = db.now()
    round_ = write_round(parcels, now, width=width, largest=way.hands.largest)
    deadline = time.monotonic() + settings.lease_seconds - settings.provider_timeout * 1.5
    with db.begin() as session, Books(session, now=now) as books:
        retry_base = timedelta(seconds=settings.retry_base_seconds)
        settled = settle(session, held, answers, transport=transport, now=now, retry_base=retry_base, books=books)
        for parcel, error in round_.unwritten:
            set_aside(books, held, parcel, error)
        if settled.closed or not width or not parcels:
            reason = "the provider is away" if settled.closed else ""
            release_claim(books, held, [*round_.mails, *(p.delivery_id for p in round_.rest)], reason=reason)
            return _Turn(settled, [], [], deadline)
        ids = list(round_.mails)
        if way.per_day:
            ids = ids[: spend_allowance(session, transport, len(ids), per_day=way.per_day, now=now)]
            release_claim(books, held, [id_ for id_ in round_.mails if id_ not in ids], reason="no allowance left")
        going = intend(session, held, ids, transport=transport, now=now, lease=lease, books=books)
        if held.strikes and not going:
            leave_ajar(session, transport, strikes=held.strikes, now=now)
    return _Turn(settled, [(g, round_.mails[g.delivery_id]) for g in going], round_.rest, deadline)


def while_the_database_is_away(turn: Callable[[], T], patience: float) -> T:
    """Try again for `patience` seconds: what the provider just told us is kept nowhere else.

    A turn may run twice: what was settled already is left as it is. When patience ends, the mails of the round stay
    `sending` and are rescued into doubt, which is the truth.
    """
    begun = time.monotonic()
    while True:
        try:
            return turn()
        except (OutOfReach, OperationalError, PoolTimeout):  # away, locked, or the loser of a deadlock
            if time.monotonic() - begun >= patience:
                raise
            time.sleep(_RETRY_EVERY)


def set_aside(books: Books, held: Claim, parcel: Parcel, error: CannotWrite) -> None:
    """Hold what its signer has to confirm anew; call off what nobody wants; bury what cannot be written at all."""
    if isinstance(error, NoLongerConfirmed):
        books.move([parcel.delivery_id], State.CLAIMED, State.HELD, token=held.token, reason=str(error))
    elif isinstance(error, NoLongerWanted):
        end = called_off(State.CANCELLED, maybe_sent=parcel.maybe_sent)
        books.move([parcel.delivery_id], State.CLAIMED, end, token=held.token, reason=str(error))
    else:
        bury(books, held, parcel.delivery_id, str(error), maybe_sent=parcel.maybe_sent)
