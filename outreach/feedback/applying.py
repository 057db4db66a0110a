"""What reports make of deliveries and attempts. Any order and any number of copies end in the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy import bindparam, case, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from outreach import alerts
from outreach.domain.deliveries import State, climbs
from outreach.domain.events import STATES, Event, EventKind
from outreach.models import Anomaly, Attempt, Database, Delivery, ProviderEvent
from outreach.outbox import Books, accept_evidence
from outreach.webhooks.sendgrid import message_id

from .accounts import heed_account
from .finding import About, deliveries_of
from .keeping import keep
from .offices import mind_offices
from .refusals import heed_refusals
from .signers import mind_signers
from .unknown import heed_unknown

log = structlog.get_logger()

#: States that say no copy has left.
_CALLED_OFF = (State.REJECTED, State.DEAD, State.SUPPRESSED, State.CANCELLED)
#: So many reports are applied in one transaction.
BATCH = 500
#: PostgreSQL's word for a transaction that it ended so that another may go on.
_DEADLOCK = "40P01"


@dataclass(frozen=True, slots=True)
class Applied:
    """How many reports were applied, were known already, were about no mail of ours, or could not be applied."""

    new: int = 0
    repeated: int = 0
    foreign: int = 0
    failed: int = 0


class Told(NamedTuple):
    """A report and the delivery it is about, if we know one."""

    row: ProviderEvent
    delivery: Delivery | None


def apply(session: Session, events: Iterable[Event], *, env: str, now: datetime) -> Applied:
    """Keep a batch of reports and apply those that are new, in the caller's transaction."""
    ours = [event for event in events if event.env in (None, env)]
    new = keep(session, ours, env=env, now=now)
    rows = session.scalars(select(ProviderEvent).where(ProviderEvent.id.in_(new))).all()
    foreign = _apply_rows(session, rows, now)
    return Applied(new=len(new), repeated=len(ours) - len(new), foreign=foreign)


def apply_waiting(
    db: Database, *, env: str, now: datetime, goes_on: Callable[[], bool] = lambda: True, batch: int = BATCH
) -> Applied:
    """Apply every report that waits, oldest first, `batch` of them to a transaction, while `goes_on`.

    Several workers may do so at once. A report that breaks the work on it is set aside, and harms no other.
    """
    applied = foreign = failed = 0
    while goes_on():
        try:
            with db.begin() as session:
                rows = _waiting(session, env, batch)
                foreign += _apply_rows(session, rows, now)
        except OperationalError as error:
            # Two batches may want each other's letters, when what is reported is also to be held: one of them is ended.
            if getattr(error.orig, "sqlstate", "") != _DEADLOCK:
                raise
            continue
        except (LookupError, TypeError, ValueError):
            if batch > 1:
                batch = 1  # from here on one by one, until the one that breaks it is found
                continue
            failed += _set_aside(db, env, now)
            continue
        applied += len(rows)
        if len(rows) < batch:
            break
    return Applied(new=applied, foreign=foreign, failed=failed)


def _waiting(session: Session, env: str, limit: int) -> Sequence[ProviderEvent]:
    waiting = (
        select(ProviderEvent)
        .where(ProviderEvent.applied_at.is_(None), ProviderEvent.env.is_(None) | (ProviderEvent.env == env))
        .order_by(ProviderEvent.received_at, ProviderEvent.id)
        .limit(limit)
    )
    return session.scalars(waiting.with_for_update(skip_locked=True)).all()


def _set_aside(db: Database, env: str, now: datetime) -> int:
    """Mark the report that waits longest as dealt with, and say so."""
    with db.begin() as session:
        for row in _waiting(session, env, 1):
            row.applied_at = now
            session.add(Anomaly(kind="report_not_applied", detail=row.id, at=now))
            alerts.raise_alert(session, "reports", f"The provider's report {row.id} could not be applied.", now=now)
            log.error("report_not_applied", report=row.id)
            return 1
    return 0


def _apply_rows(session: Session, rows: Sequence[ProviderEvent], now: datetime) -> int:
    """Apply reports; returns how many are about no mail of ours."""
    known = deliveries_of(session, rows)
    heed_unknown(session, rows, known, now=now)
    in_order = sorted(rows, key=lambda r: (r.at, r.id))
    about = [(row, one) for row in in_order for one in known.get(row.id, ())]
    # Of a bundle, its first letter stands for all: they went to one office in one mail.
    told = [Told(row, known[row.id][0].delivery if row.id in known else None) for row in in_order]
    for row, delivery in told:
        row.applied_at = now
        row.delivery_id = delivery.id if delivery is not None else None
    for row, one in about:
        _raise_state(row, one.delivery)
    session.flush()
    # One set of books for all of it, so that the counters come last, as everybody takes them: whoever waits for one
    # then holds nothing that we still need.
    with Books(session, now=now, actor="provider") as books:
        mind_offices(books, told)
        mind_signers(books, told)
        heed_account(session, rows, now=now)
        heed_refusals(session, told, now=now)
        _end_attempts(session, about, now)
        _accept(session, books, [one.delivery for row, one in about if row.kind in STATES])
    return sum(1 for row, delivery in told if delivery is None and row.kind is not EventKind.ACCOUNT)


def _accept(session: Session, books: Books, deliveries: Iterable[Delivery]) -> None:
    """The provider has had these, whatever became of them then. What contradicts the books is noted, once for each."""
    open_ = {d.id: d for d in deliveries if d.state is not State.ACCEPTED}
    noted = select(Anomaly.delivery_id).where(Anomaly.delivery_id.in_(open_), Anomaly.kind == "accepted_after_all")
    known = set(session.scalars(noted)) if open_ else set()
    contradicting = {id_ for id_, d in open_.items() if d.state in _CALLED_OFF}
    accept_evidence(session, books, sorted(open_.keys() - (known & contradicting)), books.now)
    for id_ in sorted(contradicting - known):
        words = f"Delivery {open_[id_].ref} is {open_[id_].state}, and the provider has it all the same."
        alerts.raise_alert(session, f"delivery:{open_[id_].ref}", words, now=books.now)


def _raise_state(row: ProviderEvent, delivery: Delivery) -> None:
    reported = STATES.get(row.kind)
    if reported is None:
        return
    again = delivery.event_state is reported and delivery.event_at is not None and row.at < delivery.event_at
    if climbs(delivery.event_state, reported) or again:  # of two reports of one kind, the earlier tells when
        delivery.event_state, delivery.event_at = reported, row.at


def _end_attempts(session: Session, about: Sequence[tuple[ProviderEvent, About]], now: datetime) -> None:
    """A report names the attempt that arrived; one whose answer we never saw is now known."""
    named = {
        (one.delivery.id, one.attempt): message_id(row.raw)
        for row, one in about
        if one.attempt is not None and row.kind in STATES
    }
    if not named:
        return
    table = Attempt.__table__
    session.execute(
        update(table)  # type: ignore[arg-type]
        .where(
            table.c.delivery_id == bindparam("d"),
            table.c.number == bindparam("n"),
            table.c.outcome.is_(None) | (table.c.outcome == "unknown"),
        )
        .values(
            outcome="accepted",
            ended_at=now,
            provider_id=case((table.c.provider_id == "", bindparam("p")), else_=table.c.provider_id),
        ),
        [{"d": id_, "n": number, "p": provider_id} for (id_, number), provider_id in sorted(named.items())],
    )
