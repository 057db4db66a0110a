"""Letters in an outbox, and the steps of a worker as tests take them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from outreach import outbox
from outreach.domain.deliveries import State, Stream
from outreach.models import (
    Campaign,
    Database,
    Delivery,
    Lane,
    SignatureState,
)
from outreach.outbox import Answer, Books, Claim, Going
from tests import factories

LEASE = timedelta(minutes=2)


def letters(db: Database, count: int, *, campaign: Campaign | None = None, **lane: object) -> list[int]:
    """`count` queued letters to one target; the lane's caps as given, none by default."""
    with db.begin() as session:
        campaign = campaign or factories.campaign(session, targets=1)
        (target,) = factories.targets_of(session, campaign)
        ids = [
            factories.delivery(
                session, factories.signature(session, campaign, state=SignatureState.CONFIRMED), target
            ).id
            for _ in range(count)
        ]
        way = session.get_one(Lane, session.get_one(Delivery, ids[0]).lane_id)
        way.per_hour, way.per_day, way.hours, way.days = None, None, None, "all"
        for name, value in lane.items():
            setattr(way, name, value)
    return ids


def claim(db: Database, now: datetime, limit: int = 100, stream: Stream = Stream.LETTERS) -> Claim | None:
    with db.begin() as session:
        return outbox.claim(session, stream, transport="memory", now=now, limit=limit, lease=LEASE)


def intend(db: Database, held: Claim, now: datetime, ids: Sequence[int] | None = None) -> list[Going]:
    with db.begin() as session, Books(session, now=now) as books:
        return outbox.intend(session, held, ids or held.ids, transport="memory", now=now, lease=LEASE, books=books)


def settle(db: Database, held: Claim, answers: Sequence[Answer], now: datetime) -> None:
    with db.begin() as session, Books(session, now=now) as books:
        outbox.settle(
            session,
            held,
            answers,
            transport="memory",
            now=now,
            retry_base=timedelta(seconds=30),
            books=books,
        )


def states(db: Database) -> dict[State, int]:
    with db.read() as session:
        return dict(session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all())
