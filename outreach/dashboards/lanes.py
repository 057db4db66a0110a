"""Lanes: what waits in each, at which pace it leaves, and since when or until when it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import State, Stream
from outreach.models import Campaign, Contact, Counter, Delivery, Lane, Target

from .queue import in_state

#: Lanes on one page, the fullest first.
MOST_LANES = 50


@dataclass(frozen=True, slots=True)
class Reached:
    """A target whose mailbox a lane writes to."""

    id: int
    label: str
    is_paused: bool


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One lane in which something waits. `targets` is empty for a lane of signers' mail."""

    lane: Lane
    waiting: int
    oldest_due: datetime
    targets: tuple[Reached, ...]

    @property
    def id(self) -> int:
        return self.lane.id

    @property
    def stream(self) -> Stream:
        return self.lane.stream


@dataclass(frozen=True, slots=True)
class CampaignWaiting:
    """How many mails of a campaign wait to leave."""

    id: int
    slug: str
    title: str
    waiting: int
    is_paused: bool


def lanes_waiting(session: Session, scopes: frozenset[str], *, most: int = MOST_LANES) -> list[LaneRow]:
    """The lanes in which mails wait, the fullest first. `scopes`: the brakes that are pulled.

    Counts the waiting rows by their own index: for a page that a person opens, not for one that looks every second.
    """
    n = func.count().label("n")
    rows = session.execute(
        select(Delivery.lane_id, n, func.min(Delivery.due_at))
        .where(in_state(State.QUEUED), Delivery.lane_id.is_not(None))
        .group_by(Delivery.lane_id)
        .order_by(n.desc(), Delivery.lane_id)
        .limit(most)
    ).all()
    ids = [int(row.lane_id) for row in rows if row.lane_id is not None]
    lanes = {lane.id: lane for lane in session.scalars(select(Lane).where(Lane.id.in_(ids)))}
    targets = _targets(session, ids, scopes)
    return [
        LaneRow(lanes[id_], waiting, oldest, targets.get(id_, ()))
        for id_, (_, waiting, oldest) in zip(ids, rows, strict=True)
    ]


def _targets(session: Session, lane_ids: Sequence[int], scopes: frozenset[str]) -> Mapping[int, tuple[Reached, ...]]:
    rows = session.execute(
        select(Contact.lane_id, Target.id, Target.office, Target.name)
        .join(Target, Target.id == Contact.target_id)
        .where(Contact.lane_id.in_(lane_ids), Contact.ended_at.is_(None))
        .order_by(Target.id)
    )
    found: dict[int, tuple[Reached, ...]] = {}
    for lane_id, id_, office, name in rows:
        one = Reached(id_, f"{office} {name}".strip(), f"target:{id_}" in scopes)
        found[int(lane_id or 0)] = (*found.get(int(lane_id or 0), ()), one)
    return found


def campaigns_waiting(session: Session, scopes: frozenset[str]) -> list[CampaignWaiting]:
    """The campaigns of which something waits, or that are paused; from the counters."""
    n = func.sum(Counter.n)
    waiting = dict(
        session.execute(
            select(Counter.campaign_id, n).where(Counter.state == State.QUEUED).group_by(Counter.campaign_id)
        ).all()
    )
    paused = {int(scope.removeprefix("campaign:")) for scope in scopes if scope.startswith("campaign:")}
    asked = {id_ for id_, queued in waiting.items() if queued} | paused
    rows = session.execute(select(Campaign.id, Campaign.slug, Campaign.title).where(Campaign.id.in_(asked)))
    made = [CampaignWaiting(id_, slug, title, int(waiting.get(id_, 0)), id_ in paused) for id_, slug, title in rows]
    return sorted(made, key=lambda row: (-row.waiting, row.id))
