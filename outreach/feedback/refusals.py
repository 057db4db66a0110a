"""When receivers refuse our mails for what they are or whence they come, people are told: no address is at fault."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import alerts
from outreach.domain.deliveries import Stream
from outreach.domain.events import EventKind
from outreach.models import Delivery, Minute, ProviderEvent

#: So many refused within an hour, and such a share of what was taken in it, are worth a word.
_MANY, _SHARE, _HOUR = 20, 0.05, timedelta(hours=1)


def heed_refusals(session: Session, told: Iterable[tuple[ProviderEvent, Delivery | None]], *, now: datetime) -> None:
    """Raise an alert for each stream of these reports that is refused too often."""
    streams = {delivery.stream for row, delivery in told if delivery and row.kind is EventKind.BLOCKED}
    for stream in sorted(streams):
        refused = _refused(session, stream, now)
        if refused >= _MANY and refused >= _taken(session, stream, now) * _SHARE:
            words = (
                f"Receivers refused {refused:,} mails of the stream {stream} within an hour, for policy, reputation or "
                "content. The addresses are fine: look at the failures, and slow the stream down."
            )
            alerts.raise_alert(session, f"refused:{stream}", words, now=now)


def _refused(session: Session, stream: Stream, now: datetime) -> int:
    found = (
        select(func.count(ProviderEvent.delivery_id.distinct()))
        .join(Delivery, Delivery.id == ProviderEvent.delivery_id)
        .where(
            ProviderEvent.received_at > now - _HOUR,
            ProviderEvent.kind == EventKind.BLOCKED,
            Delivery.stream == stream,
        )
    )
    return session.scalar(found) or 0


def _taken(session: Session, stream: Stream, now: datetime) -> int:
    found = select(func.sum(Minute.n)).where(
        Minute.minute > now - _HOUR, Minute.stream == stream, Minute.outcome == "accepted"
    )
    return session.scalar(found) or 0
