"""Budgets: what several lanes together may send: a stream, a mail domain, or one wave over all its targets.

A budget is one row with the moment at which it is whole again. Claims lock the rows they may draw on and write the
moments back in their own transaction, so the limit holds over any number of workers, hosts and restarts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import Stream
from outreach.domain.pacing import Spent, spend
from outreach.errors import BadInput, NotFound
from outreach.models import Budget, Channel, Contact, Lane, insert_into

_KEY = re.compile(r"stream:(act|letters|news)|domain:([a-z0-9-]+\.)+[a-z0-9-]{2,}|wave:[1-9]\d{0,17}", re.ASCII)


def set_budget(
    session: Session,
    key: str,
    *,
    per_hour: int | None = None,
    per_day: int | None = None,
    hours: str | None = None,
    days: str = "all",
    zone: str = "UTC",
    curve: Sequence[int] | None = None,
) -> Budget:
    """Limit what leaves by `key` ("stream:letters", "domain:example.gov", "wave:7") from the next claim on.

    What was spent stays spent: a budget that is set again gives nothing anew. BadInput for a key of no such kind.
    """
    if not _KEY.fullmatch(key):
        raise BadInput(
            f"{key[:60]!r} is nothing that can have a budget.",
            where="budget",
            advice="Write stream:letters, domain:example.gov or wave:7.",
        )
    if key.startswith("domain:"):
        _name_domains(session)
    limits: dict[str, Any] = {"per_hour": per_hour, "per_day": per_day, "hours": hours, "days": days, "zone": zone}
    # The row first: two people may set the first limit of a key at the same moment. The later one's words hold.
    session.execute(insert_into(session, Budget).values(key=key, days=days, zone=zone).on_conflict_do_nothing())
    budget = session.get_one(Budget, key, with_for_update=True, populate_existing=True)
    for name, value in {**limits, "curve": list(curve) if curve else None}.items():
        setattr(budget, name, value)
    session.flush()
    return budget


def drop_budget(session: Session, key: str) -> None:
    """Let go of a limit; NotFound when there is none."""
    budget = session.get(Budget, key)
    if budget is None:
        raise NotFound("There is no such budget.", where=key[:60], advice="`outreach budgets list` shows them all.")
    session.delete(budget)
    session.flush()


def budgets_set(session: Session) -> list[Budget]:
    """All budgets, by key."""
    return list(session.scalars(select(Budget).order_by(Budget.key)))


def domain_of(address: str) -> str:
    """The mail domain that an address counts against."""
    return address.rpartition("@")[2].lower()


def _name_domains(session: Session) -> None:
    """Lanes that are older than budgets do not say their domain yet; their contacts do."""
    unnamed = (
        select(Lane, Contact.value)
        .join(Contact, Contact.lane_id == Lane.id)
        .where(Lane.domain == "", Contact.channel == Channel.EMAIL)
    )
    for lane, address in session.execute(unnamed).all():
        lane.domain = domain_of(address)
    session.flush()


class Purse:
    """The budgets one claim may draw on, locked until its transaction ends."""

    def __init__(self, rows: Sequence[Budget], now: datetime) -> None:
        self._rows = {row.key: row for row in rows}
        self._now = now

    @classmethod
    def open(cls, session: Session, stream: Stream, now: datetime) -> Purse:
        """Lock what mails of `stream` may count against. In one order, so that two claims never wait in a ring."""
        mine = [Budget.key == f"stream:{stream}", Budget.key.startswith("wave:")]
        if stream is Stream.LETTERS:
            mine.append(Budget.key.startswith("domain:"))
        rows = session.scalars(
            select(Budget)
            .where(or_(*mine))
            .order_by(Budget.key)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return cls(rows.all(), now)

    def left(self, key: str, want: int) -> int:
        """How many of `want` may leave by this budget now; all of them when there is none."""
        if key not in self._rows or want <= 0:
            return want
        asked = self._asked(key, want)
        if asked.n == 0:
            # Nothing is spent, but a cap that was raised has brought the moment nearer at which something may be.
            self._stand_at(key, asked)
        return asked.n

    def draw(self, key: str, n: int) -> None:
        """`n` leave by it."""
        if key in self._rows:
            self._stand_at(key, self._asked(key, n))

    def keys(self, kind: str) -> list[str]:
        """The names after `kind:` of the budgets there are: "domain" → ["example.gov"]."""
        return [key.partition(":")[2] for key in self._rows if key.startswith(f"{kind}:")]

    def _stand_at(self, key: str, spent: Spent) -> None:
        self._rows[key].hour_next, self._rows[key].day_next = spent.hour_next, spent.day_next

    def _asked(self, key: str, want: int) -> Spent:
        row = self._rows[key]
        return spend(row.pace, row.hour_next, row.day_next, want, self._now)
