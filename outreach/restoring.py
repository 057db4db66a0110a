"""After the database was restored from an older state: nothing leaves until a person knows what was lost.

    stop        pulls the brake for everything; also pulled by the reports themselves (`feedback/unknown.py`)
    say_again   what was said in the time that is lost and must still count: suppressions and erasures
    look        which mails the provider has and the books do not know, and how many are about to leave
    accept      a person takes the books as they are: from now on mail leaves again

The brake is the row that every claim looks at anyway; when it was lifted is the epoch from which on the books are
believed again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import alerts, audit_log, outbox, people, suppression
from outreach.domain.deliveries import State
from outreach.errors import BadRows, NotNow
from outreach.feedback import UNKNOWN
from outreach.models import Anomaly, Brake, Delivery, Supporter, Suppression
from outreach.outbox import RESTORED
from outreach.people import Person

#: Unknown mails that `look` names; the others are counted.
_NAMED = 100


@dataclass(frozen=True, slots=True)
class No:
    """An address that must not be written to, by its keyed hash. With the reason "erased", its person is to be gone."""

    address_hash: str
    scope: str
    reason: str
    at: datetime

    @property
    def is_erasure(self) -> bool:
        return self.reason == people.ERASED


@dataclass(frozen=True, slots=True)
class SaidAgain:
    """What a list of noes came to."""

    noes: int
    suppressed: int
    erased: int


@dataclass(frozen=True, slots=True)
class UnknownMail:
    """A mail that the provider has and the books do not know."""

    delivery: str
    attempt: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Restored:
    """How things stand. `since` is None when nothing is stopped for it; `due` mails would leave at once."""

    since: datetime | None
    reason: str
    unknown: int
    mails: tuple[UnknownMail, ...]
    due: int


def stop(session: Session, *, actor: str, now: datetime) -> None:
    """Let nothing leave until `accept`. Twice is the same as once."""
    outbox.pull_brake(session, RESTORED, actor=actor, reason="restored from an older state", now=now)


def look(session: Session, *, now: datetime) -> Restored:
    """How things stand; the newest of the unknown mails first."""
    brake = session.scalar(select(Brake).where(Brake.scope == RESTORED, Brake.lifted_at.is_(None)))
    at, unknown = func.min(Anomaly.at).label("at"), Anomaly.kind == UNKNOWN
    mails = select(Anomaly.detail, at).where(unknown).group_by(Anomaly.detail).order_by(at.desc()).limit(_NAMED)
    due = select(func.count()).where(Delivery.state == State.QUEUED, Delivery.due_at <= now)
    return Restored(
        brake.pulled_at if brake else None,
        brake.reason if brake else "",
        session.scalar(select(func.count(Anomaly.detail.distinct())).where(unknown)) or 0,
        tuple(_mail(row.detail, row.at) for row in session.execute(mails)),
        session.scalar(due) or 0,
    )


def _mail(detail: str, at: datetime) -> UnknownMail:
    delivery, _, attempt = detail.rpartition(":")
    return UnknownMail(delivery, attempt, at)


def accept(session: Session, *, actor: str, reason: str, now: datetime) -> None:
    """Take the books as they are. NotNow when nothing is stopped for a restore."""
    before = look(session, now=now)
    if before.since is None:
        raise NotNow(
            "Nothing is stopped for a restore.", advice="See what is paused: /staff, or `outreach alerts list`."
        )
    outbox.lift_brake(session, RESTORED, actor=actor, now=now)
    alerts.close_alert(session, RESTORED, by=actor, now=now)
    after = {"reason": reason, "unknown": before.unknown, "due": before.due}
    audit_log.note(session, actor, "restored.accept", RESTORED, {"since": before.since.isoformat()}, after, now=now)


# ---- what was said in the time that is lost ----------------------------------------------------------------------


def noes(session: Session) -> Iterator[No]:
    """Every address that must not be written to, oldest first."""
    every = select(Suppression.address_hash, Suppression.scope, Suppression.reason, Suppression.at)
    for row in session.execute(every.order_by(Suppression.id).execution_options(yield_per=5000)):
        yield No(*row)


def say_again(session: Session, said: Iterable[No], *, actor: str, now: datetime) -> SaidAgain:
    """Suppress and erase whom the restored books do not know as such. Nothing that they know is taken back."""
    total = suppressed = erased = 0
    for no in said:
        total += 1
        suppressed += suppression.suppress(session, no.address_hash, scope=no.scope, reason=no.reason, now=no.at)
        if no.is_erasure and (person := _still_known(session, no.address_hash)) is not None:
            people.erase(session, person, actor=actor, now=now)
            erased += 1
    after = {"noes": total, "suppressed": suppressed, "erased": erased}
    audit_log.note(session, actor, "restored.say_again", RESTORED, None, after, now=now)
    return SaidAgain(total, suppressed, erased)


def _still_known(session: Session, address_hash: str) -> Person | None:
    supporter_id = session.scalar(select(Supporter.id).where(Supporter.address_hash == address_hash))
    return None if supporter_id is None else Person(address_hash, supporter_id)


def write_no(no: No) -> str:
    """One line of a list of noes."""
    row = {"hash": no.address_hash, "scope": no.scope, "reason": no.reason, "at": no.at.isoformat()}
    return json.dumps(row) + "\n"


def read_noes(text: str, *, name: str) -> list[No]:
    """The noes of a list; BadRows with the line that is none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line)
            no = No(row["hash"], row["scope"], row["reason"], datetime.fromisoformat(row["at"]))
            if no.at.tzinfo is None or not all(isinstance(v, str) for v in (no.address_hash, no.scope, no.reason)):
                raise ValueError
        except (ValueError, TypeError, KeyError):
            advice = "Give the file that `outreach suppressions export` wrote."
            raise BadRows(
                "This line is no entry of a suppression list.", where=f"{name}:{number}", advice=advice
            ) from None
        found.append(no)
    return found
