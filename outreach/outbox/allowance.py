"""How much a way out may carry a day while receivers do not know it yet.

Kept as the budget "transport:smtp": `day_next` is the moment at which the day's allowance is whole again. It fills
evenly, and a whole day's worth may go at once, since it is needed when the first way out is closed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from outreach.models import Budget, insert_into

_DAY = timedelta(days=1)


def allowance_left(session: Session, transport: str, *, per_day: int, now: datetime) -> int:
    """How many mails may leave by it now."""
    return _left(session.get(Budget, _key(transport)), per_day, now)


def spend_allowance(session: Session, transport: str, want: int, *, per_day: int, now: datetime) -> int:
    """Take up to `want` of it; how many it came to. No other worker takes from it until this transaction ends."""
    session.execute(insert_into(session, Budget).values(key=_key(transport), per_day=per_day).on_conflict_do_nothing())
    budget = session.get_one(Budget, _key(transport), with_for_update=True, populate_existing=True)
    n = min(want, _left(budget, per_day, now))
    budget.per_day = per_day
    budget.day_next = max(budget.day_next or now, now) + n * (_DAY // per_day)
    session.flush()
    return n


def _left(budget: Budget | None, per_day: int, now: datetime) -> int:
    whole_at = budget.day_next if budget is not None and budget.day_next is not None else now
    return min(per_day, max(0, (now + _DAY - max(whole_at, now)) // (_DAY // per_day)))


def _key(transport: str) -> str:
    return f"transport:{transport}"
