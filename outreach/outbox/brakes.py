"""Brakes: what people stop, or what is stopped for them. Each is a row, so every worker sees it at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import Stream
from outreach.errors import NotNow
from outreach.models import AuditEntry, Brake, Delivery, insert_into

#: The scope of books that were restored from an older state: nothing leaves until a person says what was lost.
RESTORED = "restored"
#: The scopes in which everything stands still.
EVERYTHING = ("all", RESTORED)


def brakes_pulled(session: Session) -> list[Brake]:
    """The brakes that hold now, oldest first."""
    return list(session.scalars(select(Brake).where(Brake.lifted_at.is_(None)).order_by(Brake.pulled_at)))


def pull_brake(session: Session, scope: str, *, actor: str, reason: str, now: datetime) -> Brake:
    """Stop everything in `scope` ("all", "restored", "stream:news", "transport:smtp", "campaign:7", "wave:3", …).

    Takes effect within the hand-overs in flight. Pulling it twice is the same as once.
    """
    new = (
        insert_into(session, Brake)
        .values(scope=scope, reason=reason, pulled_by=actor, pulled_at=now)
        .on_conflict_do_nothing()
    )
    # Insert first and look then: two people may pull at the same moment, and both have pulled it. If somebody lets it
    # go between the two, it is pulled anew.
    while True:
        if session.execute(new.returning(Brake.id)).first() is not None:
            session.add(AuditEntry(at=now, actor=actor, action="brake.pull", subject=scope, after={"reason": reason}))
            session.flush()
        held = select(Brake).where(Brake.scope == scope, Brake.lifted_at.is_(None)).with_for_update()
        if brake := session.scalar(held):
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


def stops(scopes: frozenset[str], stream: Stream, transport: str) -> bool:
    """Whether nothing of the stream may leave by this way."""
    return not scopes.isdisjoint((*EVERYTHING, f"stream:{stream}", f"transport:{transport}"))


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
