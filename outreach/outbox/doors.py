"""Doors: whether a provider takes mail from us now. Each is a row, so every worker sees it close at once.

A door that closed is tried again by one mail, whichever worker has it, once the wait is over. When the provider takes
that mail the door is open for all; when it does not, the wait grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.alerts import close_alert, raise_alert
from outreach.domain.deliveries import Stream
from outreach.errors import NotNow
from outreach.models import ProviderState, insert_into

from .brakes import scopes_pulled, stops

#: A provider that keeps refusing is asked again after 15, 30, 60 … seconds, at most every quarter of an hour.
_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(minutes=15)
#: Closed so often in a row, which takes some minutes, a door is worth a person's look whatever the cause.
_WORRYING = 5


@dataclass(frozen=True, slots=True)
class Door:
    """A door that is not closed. With `strikes`, it was so often in a row, and one mail may go and try it."""

    transport: str
    strikes: int


def open_door(session: Session, transport: str, *, now: datetime) -> Door | None:
    """The door as it is found now; None when it is closed, or when another worker is about to try it.

    A door with strikes stays locked to others until this transaction ends; `knock` keeps them away after that.
    """
    state = session.get(ProviderState, transport, populate_existing=True)
    if state is None or (not state.strikes and not _is_shut(state, now)):
        return Door(transport, 0)
    if _is_shut(state, now):
        return None
    free = select(ProviderState).where(ProviderState.transport == transport).with_for_update(skip_locked=True)
    state = session.scalar(free.execution_options(populate_existing=True))
    return None if state is None or _is_shut(state, now) else Door(transport, state.strikes)


def knock(session: Session, door: Door, *, now: datetime) -> None:
    """One mail goes and tries the door: nobody else does until it is answered, or the next wait is over."""
    session.execute(
        update(ProviderState)
        .where(ProviderState.transport == door.transport)
        .values(closed_until=now + _wait(door.strikes), changed_at=now)
    )


def is_closed(session: Session, transport: str, *, strikes: int = 0, now: datetime) -> bool:
    """Whether nothing may be offered now. Whoever claimed with `strikes` is the one who tries, if none came since."""
    state = session.get(ProviderState, transport, populate_existing=True)
    return state is not None and _is_shut(state, now) and not (strikes and state.strikes == strikes)


def is_open(session: Session, transport: str, *, stream: Stream, now: datetime) -> bool:
    """Whether mails of a stream may be offered to `transport` now: neither its door nor a brake keeps them."""
    return not is_closed(session, transport, now=now) and not stops(scopes_pulled(session), stream, transport)


def close_door(
    session: Session,
    transport: str,
    *,
    strikes: int,
    reason: str,
    retry_after: timedelta | None = None,
    needs_people: bool = False,
    now: datetime,
) -> datetime:
    """Offer nothing to `transport` until the returned time: what it asked for, or longer at each strike in a row.

    `strikes` are those the mail was claimed with. Mails in the air together meet the closing together: it is one
    strike. With `needs_people` it will not open by itself, and they are told at once.
    """
    # The row first: several workers meet the first closed door of an installation at the same moment.
    session.execute(
        insert_into(session, ProviderState)
        .values(transport=transport, strikes=0, reason="", changed_at=now)
        .on_conflict_do_nothing()
    )
    state = session.get_one(ProviderState, transport, with_for_update=True, populate_existing=True)
    is_news = state.strikes <= strikes
    if is_news:
        state.strikes += 1
    wait = min(retry_after or _wait(state.strikes), _LONGEST_WAIT)
    if is_news or retry_after is not None:
        # What was set when the door was tried no longer counts; what another worker was told does.
        until = now + wait
        state.closed_until = until if is_news and strikes else max(state.closed_until or until, until)
        state.reason, state.changed_at = reason[:300], now
    if needs_people or state.strikes >= _WORRYING:
        raise_alert(session, f"transport:{transport}", f"Nothing leaves by {transport}: {reason[:300]}.", now=now)
    session.flush()
    return state.closed_until or now


def leave_ajar(session: Session, transport: str, *, strikes: int, now: datetime) -> None:
    """The mail that was to try the door said nothing about it: the next may try at once."""
    session.execute(
        update(ProviderState)
        .where(ProviderState.transport == transport, ProviderState.strikes == strikes)
        .values(closed_until=now)
    )


def try_now(session: Session, transport: str, *, actor: str, now: datetime) -> None:
    """A person would not wait: the next mail goes and tries the door at once. NotNow when it is not closed."""
    state = session.get(ProviderState, transport, with_for_update=True, populate_existing=True)
    if state is None or not _is_shut(state, now):
        raise NotNow("It is not closed.", where=transport[:40], advice="`outreach transports list` shows which are.")
    before = {"strikes": state.strikes, "closed_until": state.closed_until.isoformat() if state.closed_until else None}
    state.closed_until = now
    audit_log.note(session, actor, "transport.try", f"transport:{transport}", before, now=now)
    session.flush()


def reopen_door(session: Session, transport: str, *, strikes: int, now: datetime) -> bool:
    """It took the mail that tried the door: the strikes are forgotten, unless the door has closed again since."""
    opened = session.execute(
        update(ProviderState)
        .where(ProviderState.transport == transport, ProviderState.strikes == strikes)
        .values(strikes=0, closed_until=None, reason="", changed_at=now)
        .returning(ProviderState.transport)
    ).first()
    if opened is None:
        return False
    close_alert(session, f"transport:{transport}", now=now)
    return True


def _is_shut(state: ProviderState, now: datetime) -> bool:
    return state.closed_until is not None and state.closed_until > now


def _wait(strikes: int) -> timedelta:
    return min(_FIRST_WAIT * (1 << min(max(strikes, 1) - 1, 10)), _LONGEST_WAIT)
