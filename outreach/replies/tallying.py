"""Mails that came in and were dropped: of each day how many of which kind, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from outreach.models import InboundTally


def tally(session: Session, kind: str, *, now: datetime) -> None:
    """One more mail of this kind was dropped today (UTC)."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    one = insert(InboundTally).values(day=now.astimezone(UTC).date(), kind=kind, count=1)
    session.execute(one.on_conflict_do_update(index_elements=["day", "kind"], set_={"count": InboundTally.count + 1}))
