"""Reports about mails of ours that the books do not know: the books are older than the mails.

It takes a restored backup, or a database that lost its last commits, to come to this; or a second engine that goes by
the same OUTREACH_ENV. Each such mail is written down and people are told. From the third on nothing leaves, for what
else left in the time that is lost would leave again; only a person lets go (`outreach restored`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import alerts
from outreach.domain.events import STATES
from outreach.models import Anomaly, Attempt, Brake, Delivery, ProviderEvent
from outreach.outbox import RESTORED, pull_brake
from outreach.webhooks.sendgrid import message_id

from .finding import About

#: The anomaly of each mail: `detail` is "delivery:attempt" as the report names them, `at` when the provider had it.
UNKNOWN = "unknown_mail"
#: From so many mails on, within so long, the books are not believed. One may be a mistake of somebody's by hand.
MANY, WITHIN = 3, timedelta(days=7)
#: Where an attempt's transport would stand, of one that only a report knows.
REPORTED = "reported"

_WORDS = (
    "The provider has mails of ours that the books do not know, as after a restore from an older state: "
    f"`outreach restored` shows which. From {MANY} on nothing leaves until a person says so."
)


def heed_unknown(
    session: Session, rows: Iterable[ProviderEvent], known: Mapping[str, Sequence[About]], *, now: datetime
) -> None:
    """Write down what these reports know and the books do not; stop everything when it is much.

    `known` is what each report is about, its deliveries locked. An attempt that is missing is made up for, so that it
    counts against its mailbox's cap and a second one gets a number of its own.
    """
    found: dict[str, tuple[ProviderEvent, Delivery | None]] = {}
    for row in sorted(rows, key=lambda r: (r.at, r.id)):
        about = known.get(row.id, ())
        if _is_of_ours(row) and (not about or _is_attempt_lost(row, about)):
            found.setdefault(f"{row.ref}:{row.attempt or '?'}", (row, about[0].delivery if about else None))
    for row, delivery in found.values():
        if delivery is not None:
            _make_up(session, row, delivery)
    noted = select(Anomaly.detail).where(Anomaly.kind == UNKNOWN, Anomaly.detail.in_(found))
    new = found.keys() - set(session.scalars(noted)) if found else set()
    if not new:
        return
    for detail in sorted(new):
        row, delivery = found[detail]
        id_ = delivery.id if delivery is not None else None
        session.add(Anomaly(delivery_id=id_, kind=UNKNOWN, detail=detail, at=row.at))
    session.flush()
    alerts.raise_alert(session, RESTORED, _WORDS, now=now)
    if _many(session, now):
        pull_brake(session, RESTORED, actor="provider", reason="the provider has mails the books do not know", now=now)


def _is_of_ours(row: ProviderEvent) -> bool:
    """Whether a report says by itself that it is about a mail of this very engine."""
    return row.env is not None and bool(row.ref) and row.kind in STATES


def _is_attempt_lost(row: ProviderEvent, about: Sequence[About]) -> bool:
    delivery = about[0].delivery
    return delivery.ref == row.ref and row.attempt is not None and row.attempt > delivery.attempts


def _make_up(session: Session, row: ProviderEvent, delivery: Delivery) -> None:
    """The attempt as the report tells of it. The delivery is moved by whoever applies the report."""
    delivery.attempts = row.attempt or delivery.attempts
    if delivery.lane_id is None:  # it has lost its mailbox since; there is no cap to count it against
        return
    session.add(
        Attempt(
            delivery_id=delivery.id,
            number=delivery.attempts,
            lane_id=delivery.lane_id,
            claim_token="",
            transport=REPORTED,
            started_at=row.at,
            ended_at=row.at,
            outcome="accepted",
            provider_id=message_id(row.raw),
        )
    )


def _many(session: Session, now: datetime) -> bool:
    accepted = session.scalar(select(func.max(Brake.lifted_at)).where(Brake.scope == RESTORED))
    since = max(accepted, now - WITHIN) if accepted else now - WITHIN
    mails = select(func.count(Anomaly.detail.distinct())).where(Anomaly.kind == UNKNOWN, Anomaly.at > since)
    return (session.scalar(mails) or 0) >= MANY
