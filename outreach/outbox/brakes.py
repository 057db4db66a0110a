"""Brakes that people pull, and doors that providers close. Both are rows, so every worker sees them at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from outreach.domain.deliveries import Stream
from outreach.errors import NotNow
from outreach.models import AuditEntry, Brake, Delivery, ProviderState

#: A provider that keeps refusing is asked again after 15, 30, 60 … seconds, at most every quarter of an hour.
_FIRST_CLOSING = timedelta(seconds=15)
_LONGEST_CLOSING = timedelta(minutes=15)


def brakes_pulled(session: Session) -> list[Brake]:
    """The brakes that hold now, oldest first."""
    return list(session.scalars(select(Brake).where(Brake.lifted_at.is_(None)).order_by(Brake.pulled_at)))


def pull_brake(session: Session, scope: str, *, actor: str, reason: str, now: datetime) -> Brake:
    """Stop everything in `scope` ("all", "stream:letters", "campaign:7", "wave:3", "target:5").

    Takes effect within the hand-overs in flight. Pulling it twice is the same as once.
    """
    standing = session.scalar(select(Brake).where(Brake.scope == scope, Brake.lifted_at.is_(None)))
    if standing is not None:
        return standing
    brake = Brake(scope=scope, reason=reason, pulled_by=actor, pulled_at=now)
    session.add(brake)
    session.add(AuditEntry(at=now, actor=actor, action="brake.pull", subject=scope, after={"reason": reason}))
    session.flush()
    return brake


def lift_brake(session: Session, scope: str, *, actor: str, now: datetime) -> None:
    """Let go again; NotNow when it is not pulled."""
    lifted = session.execute(
        update(Brake)
        .where(Brake.scope == scope, Brake.lifted_at.is_(None))
        .values(lifted_by=actor, lifted_at=now)
        .returning(Brake.id)
    ).all()
    if not lifted:
        raise NotNow("This is not paused.", where=scope)
    session.add(AuditEntry(at=now, actor=actor, action="brake.lift", subject=scope))


def scopes_pulled(session: Session) -> frozenset[str]:
    """The scopes in which nothing may leave now."""
    return frozenset(session.scalars(select(Brake.scope).where(Brake.lifted_at.is_(None))))


def stops(scopes: frozenset[str], stream: Stream) -> bool:
    """Whether the whole stream stands still."""
    return "all" in scopes or f"stream:{stream}" in scopes


def in_no_scope(scopes: frozenset[str]) -> list[ColumnElement[bool]]:
    """Conditions that leave out deliveries under a campaign's, wave's or target's brake."""
    conditions: list[ColumnElement[bool]] = []
    for kind, column in (
        ("campaign", Delivery.campaign_id),
        ("wave", Delivery.wave_id),
        ("target", Delivery.target_id),
    ):
        ids = _ids(scopes, kind)
        if ids:
            conditions.append(column.is_(None) | column.not_in(ids))
    return conditions


def _ids(scopes: frozenset[str], kind: str) -> Sequence[int]:
    return [int(scope.partition(":")[2]) for scope in sorted(scopes) if scope.startswith(f"{kind}:")]


def provider_state(session: Session, transport: str) -> ProviderState | None:
    """What we know of a transport; None when it never closed."""
    return session.get(ProviderState, transport)


def is_closed(session: Session, transport: str, now: datetime) -> bool:
    """Whether nothing may be offered to a transport now."""
    closed = select(ProviderState.transport).where(
        ProviderState.transport == transport, ProviderState.closed_until > now
    )
    return session.scalar(closed) is not None


def close_provider(
    session: Session, transport: str, *, reason: str, retry_after: timedelta | None, now: datetime
) -> datetime:
    """Offer nothing to `transport` until the returned time: what it asked for, or longer at each strike in a row."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # The row first: several workers meet the first closed door of an installation at the same moment.
    session.execute(
        insert(ProviderState).values(transport=transport, strikes=0, reason="", changed_at=now).on_conflict_do_nothing()
    )
    state = session.get_one(ProviderState, transport, with_for_update=True, populate_existing=True)
    if state.closed_until is not None and state.closed_until > now and retry_after is None:
        return state.closed_until  # another worker met the same closed door a moment ago
    wait = retry_after or min(_FIRST_CLOSING * (1 << min(state.strikes, 10)), _LONGEST_CLOSING)
    state.closed_until = max(state.closed_until or now, now + min(wait, _LONGEST_CLOSING))
    state.reason, state.changed_at = reason[:300], now
    state.strikes += 1
    return state.closed_until


def reopen_provider(session: Session, transport: str, *, now: datetime) -> None:
    """It took a mail: the strikes are forgotten."""
    session.execute(
        update(ProviderState)
        .where(
            ProviderState.transport == transport,
            ProviderState.strikes > 0,
            # A mail that was taken before the door closed does not open it.
            ProviderState.closed_until.is_(None) | (ProviderState.closed_until <= now),
        )
        .values(strikes=0, closed_until=None, reason="", changed_at=now)
    )
