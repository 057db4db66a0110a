"""Mails that came in and were dropped: of each day how many of which kind, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from outreach.models import InboundTally, insert_into


def tally(session: Session, kind: str, *, now: datetime) -> None:
    """One more mail of this kind was dropped today (UTC)."""
    one = insert_into(session, InboundTally).values(day=now.astimezone(UTC).date(), kind=kind, count=1)
    session.execute(one.on_conflict_do_update(index_elements=["day", "kind"], set_={"count": InboundTally.count + 1}))
