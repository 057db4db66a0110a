"""What the public pages say of campaigns and may be some seconds old: asked of the database once for all who look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.consents import agreed
from outreach.domain.consents import Purpose
from outreach.domain.letters import first_name
from outreach.models import Campaign, Signature

T = TypeVar("T")

#: How old a count on a page may be, and a list of names.
COUNT_SECONDS, NAMES_SECONDS = 5.0, 30.0
#: Names on a page, and among how many of the newest signatures they are looked for.
NAMES, _AMONG = 6, 200


class Kept(Generic[T]):
    """Something about each campaign, by its id. The query behind runs at most every so many seconds."""

    def __init__(self, ask: Callable[[Session, list[int]], Mapping[int, T]], nothing: T, seconds: float) -> None:
        self._ask = ask
        self._nothing = nothing
        self._seconds = seconds
        self._known: dict[int, tuple[float, T]] = {}
        self._lock = threading.Lock()

    def of(self, session: Session, campaign_ids: list[int]) -> dict[int, T]:
        """What is known of each campaign."""
        now = time.monotonic()
        with self._lock:
            stale = [i for i in campaign_ids if i not in self._known or self._known[i][0] + self._seconds < now]
        if stale:
            fresh = {**dict.fromkeys(stale, self._nothing), **self._ask(session, stale)}
            with self._lock:
                self._known.update({i: (now, found) for i, found in fresh.items()})
        with self._lock:
            return {i: self._known[i][1] for i in campaign_ids}


class Counts(Kept[int]):
    """How many signatures of a campaign count."""

    def __init__(self, seconds: float = COUNT_SECONDS) -> None:
        super().__init__(_count, 0, seconds)


class Names(Kept[tuple[str, ...]]):
    """The newest signers who agreed to be named in public: "Jane, Springfield"; "J., Springfield" at high risk."""

    def __init__(self, seconds: float = NAMES_SECONDS) -> None:
        super().__init__(_names, (), seconds)


def _count(session: Session, campaign_ids: list[int]) -> dict[int, int]:
    found = (
        select(Signature.campaign_id, func.count())
        .where(Signature.campaign_id.in_(campaign_ids), Signature.is_counted)
        .group_by(Signature.campaign_id)
    )
    return {campaign: int(n) for campaign, n in session.execute(found)}


def _names(session: Session, campaign_ids: list[int]) -> dict[int, tuple[str, ...]]:
    return {campaign_id: _names_of(session, campaign_id) for campaign_id in campaign_ids}


def _names_of(session: Session, campaign_id: int) -> tuple[str, ...]:
    newest = (
        select(Signature.id)
        .where(Signature.campaign_id == campaign_id, Signature.is_counted)
        .order_by(Signature.id.desc())
        .limit(_AMONG)
    )
    rows = session.execute(
        select(Signature.name, Signature.city, (Signature.high_risk | Campaign.high_risk).label("at_risk"))
        .join(Campaign, Campaign.id == Signature.campaign_id)
        .where(
            Signature.id.in_(newest.scalar_subquery()),
            Signature.name != "",
            agreed(Signature.supporter_id, Signature.campaign_id, Purpose.SHOW_NAME),
        )
        .order_by(Signature.id.desc())
        .limit(NAMES)
    )
    return tuple(_shown(name, city, at_risk=at_risk) for name, city, at_risk in rows)


def _shown(name: str, city: str, *, at_risk: bool) -> str:
    first = first_name(name)
    return ", ".join(part for part in (f"{first[:1]}." if at_risk else first, city) if part)
