"""Settle and rescue: what an answer means, and what a worker's silence means.

Proof of acceptance counts whoever brings it, and whenever. Every other answer counts only under the token the mail is
still held by: a worker that was away too long changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MAX_ATTEMPTS, State, called_off, retry_delay
from outreach.models import Anomaly, Attempt, Delivery
from outreach.transports.base import (
    Ailing,
    LockedOut,
    NoAnswer,
    NotOffered,
    Outcome,
    Receipt,
    Refused,
    Simulated,
    Unavailable,
)

from .books import Books
from .claiming import Claim, Going
from .doors import close_door, leave_ajar, reopen_door

#: More hand-overs than this without an answer, or with an error of the provider's own, and most of a round: stop
#: feeding it.
_FEW = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one hand-over."""

    going: Going
    outcome: Outcome


@dataclass(slots=True)
class Settled:
    """What one round came to. `closed`: the provider takes nothing more for now."""

    accepted: list[int] = field(default_factory=list)
    closed: bool = False


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
    """Write down what came of a round of hand-overs, and what it says about the provider."""
    result = Settled()
    if not answers:
        return result
    # Deliveries before attempts, as a report about them takes its locks: neither waits for the other in a ring.
    ids = [a.going.delivery_id for a in answers]
    session.execute(select(Delivery.id).where(Delivery.id.in_(ids)).order_by(Delivery.id).with_for_update())
    accepted = [a for a in answers if isinstance(a.outcome, Receipt)]
    _end_attempts(session, accepted, "accepted", now)
    result.accepted = _accept(session, books, held, accepted, now)

    refused = [a for a in answers if isinstance(a.outcome, Refused)]
    _end_attempts(session, refused, "refused", now)
    for answer in refused:
        reason = answer.outcome.detail if isinstance(answer.outcome, Refused) else ""
        books.move([answer.going.delivery_id], State.SENDING, State.REJECTED, token=held.token, reason=reason)

    simulated = [a for a in answers if isinstance(a.outcome, Simulated)]
    _end_attempts(session, simulated, "refused", now)
    _simulate(session, books, held, [a.going.delivery_id for a in simulated], now)

    silent = [a for a in answers if isinstance(a.outcome, NoAnswer)]
    _end_attempts(session, silent, "unknown", now)
    doubt(books, [a.going.delivery_id for a in silent], now, reason="no answer", token=held.token)

    away = [a for a in answers if isinstance(a.outcome, Unavailable)]
    _end_attempts(session, away, "unavailable", now)
    for answer in away:
        if isinstance(answer.outcome, Unavailable):
            _try_later(session, books, held, answer.going.delivery_id, answer.outcome, now, retry_base)

    unsent = refused + simulated
    for answers_, outcome in ((accepted, "accepted"), (unsent, "refused"), (silent, "unknown"), (away, "unavailable")):
        if answers_:
            books.count_attempt(held.stream, outcome, len(answers_))

    result.closed = _mind_the_door(session, held, [a.outcome for a in answers], transport=transport, now=now)
    return result


def _mind_the_door(
    session: Session, held: Claim, outcomes: Sequence[Outcome], *, transport: str, now: datetime
) -> bool:
    """Close, leave or open the provider's door by what came of a round; True when it is closed now."""
    closing = [o for o in outcomes if isinstance(o, Unavailable) and o.whole]
    if closing:
        # What a person must put right is told before anything else.
        worst = max(closing, key=lambda o: (isinstance(o, LockedOut), o.retry_after or timedelta(0)))
        close_door(
            session,
            transport,
            strikes=held.strikes,
            reason=worst.detail,
            retry_after=max((o.retry_after for o in closing if o.retry_after), default=None),
            needs_people=isinstance(worst, LockedOut),
            now=now,
        )
        return True
    silent = sum(1 for o in outcomes if isinstance(o, NoAnswer))
    ill = [o for o in outcomes if isinstance(o, Ailing)]
    troubled = silent + len(ill)
    if (held.strikes and troubled) or (troubled > _FEW and troubled * 2 > len(outcomes)):
        reason = ill[0].detail if len(ill) > silent else "it does not answer"
        close_door(session, transport, strikes=held.strikes, reason=reason, now=now)
        return True
    if held.strikes and any(isinstance(o, Receipt) for o in outcomes):
        reopen_door(session, transport, strikes=held.strikes, now=now)
    elif held.strikes and outcomes:
        leave_ajar(session, transport, strikes=held.strikes, now=now)
    return False


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


def _simulate(session: Session, books: Books, held: Claim, ids: Sequence[int], now: datetime) -> None:
    """sending → dead, as "simulated": it has not left, no counter says so, and staff may send it in earnest."""
    if not ids:
        return
    left = set(session.scalars(select(Delivery.id).where(Delivery.id.in_(ids), Delivery.maybe_sent)))
    books.move([i for i in ids if i not in left], State.SENDING, State.DEAD, token=held.token, reason="simulated")
    doubt(books, sorted(left), now, reason="simulated, after a try that may have left", token=held.token)


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
    tries += 0 if away.whole or isinstance(away, NotOffered) else 1
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
