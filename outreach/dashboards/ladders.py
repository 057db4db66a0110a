"""Follow-ups: a campaign's ladders, and how many signers stand where on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.domain.ladders import StepState
from outreach.models import Campaign, Ladder, Rung, Step

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True, slots=True)
class RungRow:
    """One step of a ladder."""

    rung: Rung
    counts: Mapping[StepState, int]  #: every state is named

    @property
    def wait(self) -> str:
        """ "14 days"; "" for none."""
        seconds = self.rung.wait_seconds
        unit, length = next((each for each in _UNITS if seconds >= each[1]), _UNITS[-1])
        return f"{seconds // length:,} {unit}{'' if seconds // length == 1 else 's'}" if seconds else ""

    @property
    def when(self) -> str:
        """ "14 days after letter accepted", "on confirmed"."""
        what = self.rung.trigger.replace("_", " ")
        then = f" at {self.rung.at_wall} {self.rung.zone}" if self.rung.at_wall else ""
        return f"{self.wait or '0 minutes'} after {what}{then}" if self.wait or then else f"on {what}"


@dataclass(frozen=True, slots=True)
class LadderRow:
    id: int
    name: str
    stopped_at: datetime | None
    rungs: tuple[RungRow, ...]

    @property
    def waiting(self) -> int:
        """How many mails wait for their time on it."""
        return sum(row.counts[StepState.WAITING] for row in self.rungs)


def follow_ups(session: Session, campaign: Campaign) -> list[LadderRow]:
    """The campaign's ladders, those that were stopped included, with how many wait, were written to, or were not."""
    found = session.scalars(select(Ladder).where(Ladder.campaign_id == campaign.id).order_by(Ladder.id)).all()
    counts = _counts(session, found)
    return [
        LadderRow(
            ladder.id,
            ladder.name,
            ladder.stopped_at,
            tuple(
                RungRow(rung, {state: counts.get((rung.id, state), 0) for state in StepState}) for rung in ladder.rungs
            ),
        )
        for ladder in found
    ]


def _counts(session: Session, ladders: Sequence[Ladder]) -> dict[tuple[int, StepState], int]:
    rows = session.execute(
        select(Step.rung_id, Step.state, func.count())
        .join(Rung)
        .where(Rung.ladder_id.in_([ladder.id for ladder in ladders]))
        .group_by(Step.rung_id, Step.state)
    )
    return {(rung_id, state): n for rung_id, state, n in rows}
