"""Mails in doubt: what the reports say, what the provider's own log says, and what is left for people to decide.

A report or a log entry proves that a mail was taken. Nothing proves that it was not: silence counts only if reports
kept coming all the while, and even then a letter is sent again by a person, never by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import structlog
from sqlalchemy import Row, exists, func, select
from sqlalchemy.orm import Session

from outreach import alerts
from outreach.domain.deliveries import MailClass, State
from outreach.domain.events import STATES, Event, EventKind
from outreach.errors import OutOfReach
from outreach.models import Attempt, Bundle, Contact, Database, Delivery, ProviderEvent, Supporter
from outreach.outbox import Books, accept_evidence

from .applying import apply, apply_waiting

log = structlog.get_logger()

#: Providers repeat their reports for 24 hours; until then, and a little longer, one may still come.
WINDOW = timedelta(hours=26)
#: Reports that stay away for longer than this say nothing about what they do not mention.
_LONGEST_GAP = timedelta(minutes=30)
#: Of the mails taken within this of the one in doubt, so few may be without any report.
_BESIDE, _UNREPORTED = timedelta(hours=1), 0.01


class Verdict(StrEnum):
    """What may be done about a mail that is still in doubt."""

    WAIT = "wait"  #: a report may still come
    SILENT = "channel_silent"  #: none came, but the channel was not alive throughout: it says nothing
    MAY_RESEND = "may_resend"  #: none came although all others did: a person may send it again
    ONCE = "at_most_once"  #: a mailing: it is not sent again


@dataclass(frozen=True, slots=True)
class Doubt:
    """One mail in doubt. `until` is when its window ends."""

    ref: str
    mail_class: MailClass
    since: datetime
    until: datetime
    attempt: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many doubts were settled, by what, and those that are left, oldest first."""

    by_report: int
    by_log: int
    left: tuple[Doubt, ...]


class Found(Protocol):
    """A mail in a provider's log."""

    @property
    def message_id(self) -> str: ...

    @property
    def attempt(self) -> int | None: ...


class ProviderLog(Protocol):
    """A provider's log of what it took (`transports.sendgrid_log`, `transports.mailbox`)."""

    @property
    def transport(self) -> str:
        """Of which way out it is the log."""

    @property
    def at_once(self) -> int:
        """About how many mails it is asked in one go."""

    def find(self, delivery: str, *, to: str, at: datetime) -> Found | None:
        """The mail of a delivery or bundle, or None; OutOfReach when the log cannot be asked."""


def reconcile(
    db: Database,
    *,
    env: str,
    now: datetime,
    logs: Sequence[ProviderLog] = (),
    goes_on: Callable[[], bool] = lambda: True,
) -> Reconciled:
    """Settle what can be settled by evidence, and say of the rest what may be done."""
    apply_waiting(db, env=env, now=now, goes_on=goes_on)
    with db.begin() as session:
        by_report = _settle_by_reports(session, now)
    by_log = sum(_settle_by_log(db, log_, env=env, now=now, goes_on=goes_on) for log_ in logs)
    with db.begin() as session:
        left = doubts(session, now=now)
        _tell(session, left, now)
    return Reconciled(by_report, by_log, left)


def _settle_by_reports(session: Session, now: datetime) -> int:
    """Accept what a report names that was applied before the doubt arose."""
    reported = exists().where(ProviderEvent.delivery_id == Delivery.id, ProviderEvent.kind.in_(list(STATES)))
    ids = session.scalars(
        select(Delivery.id).where(Delivery.state == State.IN_DOUBT, reported).order_by(Delivery.id).with_for_update()
    ).all()
    with Books(session, now=now, actor="provider") as books:
        return len(accept_evidence(session, books, ids, now))


def _settle_by_log(
    db: Database, provider_log: ProviderLog, *, env: str, now: datetime, goes_on: Callable[[], bool]
) -> int:
    """Look each doubt up. What the log shows is applied like a report: the books say where it came from."""
    with db.read() as session:
        asked = _asked(session, provider_log)
    settled = 0
    for ref, at, to, letters in asked:
        if not goes_on():
            break
        try:
            found = provider_log.find(ref, to=to, at=at)
        except OutOfReach as error:
            log.warning("provider_log_away", error=error.message)
            break
        if found is None:
            continue
        event = Event(
            id=f"log-{found.message_id}"[:100],
            kind=EventKind.PROCESSED,
            at=at,
            delivery=ref,
            attempt=found.attempt,
            env=env,
            raw={"sg_message_id": found.message_id, "source": "log"},
        )
        with db.begin() as session:
            settled += letters if apply(session, [event], env=env, now=now).new else 0
    return settled


def _asked(session: Session, provider_log: ProviderLog) -> Sequence[Row[str, datetime, str, int]]:
    """(mail, when it was handed over, to whom, doubts in it) of the oldest doubts that the log may know of.

    A mail is a delivery by itself, or a bundle with all its letters.
    """
    mail = func.coalesce(Bundle.ref, Delivery.ref)
    to = func.coalesce(Contact.value, Supporter.address)
    return session.execute(
        select(mail, func.min(Attempt.started_at), func.min(to), func.count())
        .select_from(Delivery)
        .join(Attempt, (Attempt.delivery_id == Delivery.id) & (Attempt.number == Delivery.attempts))
        .outerjoin(Bundle, Bundle.id == Attempt.bundle_id)
        .outerjoin(Contact, Contact.id == Delivery.contact_id)
        .outerjoin(Supporter, (Supporter.id == Delivery.supporter_id) & (Delivery.mail_class != MailClass.LETTER))
        .where(Delivery.state == State.IN_DOUBT, Attempt.transport == provider_log.transport, to.is_not(None))
        .group_by(mail)
        .order_by(func.min(Delivery.doubt_since))
        .limit(provider_log.at_once)
    ).all()


def doubts(session: Session, *, now: datetime) -> tuple[Doubt, ...]:
    """Every mail in doubt, oldest first, and what may be done about it."""
    rows = session.execute(
        select(Delivery.ref, Delivery.mail_class, Delivery.doubt_since, Delivery.attempts)
        .where(Delivery.state == State.IN_DOUBT)
        .order_by(Delivery.doubt_since, Delivery.id)
    ).all()
    alive: dict[datetime, bool] = {}

    def verdict(mail_class: MailClass, since: datetime) -> Verdict:
        if since + WINDOW > now:
            return Verdict.WAIT
        if mail_class is MailClass.MAILING:
            return Verdict.ONCE
        # Doubts come in bursts, when a provider hangs: those of one quarter of an hour are looked at once.
        begin = since.replace(minute=since.minute // 15 * 15, second=0, microsecond=0)
        if begin not in alive:
            alive[begin] = was_alive(session, begin, since + WINDOW)
        return Verdict.MAY_RESEND if alive[begin] else Verdict.SILENT

    return tuple(
        Doubt(ref, mail_class, since, since + WINDOW, attempt, verdict(mail_class, since))
        for ref, mail_class, since, attempt in rows
        if since is not None
    )


def was_alive(session: Session, begin: datetime, end: datetime) -> bool:
    """Whether reports came without a gap from `begin` to `end`, and about nearly all mails of that hour."""
    at = begin
    while at < end:
        # One look into an index for each half hour, however many reports there were.
        newest = session.scalar(
            select(func.max(ProviderEvent.received_at)).where(
                ProviderEvent.received_at > at, ProviderEvent.received_at <= at + _LONGEST_GAP
            )
        )
        if newest is None:
            return False
        at = newest
    taken, reported = session.execute(
        select(func.count(), func.count(Delivery.event_state))
        .select_from(Attempt)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Attempt.outcome == "accepted", Attempt.ended_at.between(begin - _BESIDE, begin + _BESIDE))
    ).one()
    return bool(taken - reported <= taken * _UNREPORTED)


def _tell(session: Session, left: Sequence[Doubt], now: datetime) -> None:
    over = [doubt for doubt in left if doubt.verdict is not Verdict.WAIT]
    if over:
        words = f"{len(over):,} mails are in doubt and no report came: `outreach reconcile` says what may be done."
        alerts.raise_alert(session, "doubts", words, now=now)
    else:
        alerts.close_alert(session, "doubts", now=now)
    _close_contacts(session, now)


def _close_contacts(session: Session, now: datetime) -> None:
    """End the alerts of contacts that people have replaced."""
    for alert in alerts.standing(session):
        kind, _, number = alert.key.partition(":")
        contact = session.get(Contact, int(number)) if kind == "contact" and number.isdecimal() else None
        if contact is not None and contact.ended_at is not None:
            alerts.close_alert(session, alert.key, now=now)
