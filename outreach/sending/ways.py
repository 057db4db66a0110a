"""Which way out a batch takes: the first, or the one to fall back on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.deliveries import Stream
from outreach.models import Database

from .hands import Hands


@dataclass(frozen=True, slots=True)
class Fallback:
    """A second way out, for while the first is closed.

    `share`: of 100 batches, how many leave by it even so. `per_day`: mails a day it may carry; 0 is no limit.
    """

    hands: Hands
    share: int = 0
    per_day: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """The way one batch takes. By the fallback go only mails that have certainly not left by the first."""

    hands: Hands
    is_fallback: bool = False
    per_day: int = 0  #: 0 is no limit
    places: int | None = None  #: how many may leave by it now; None is no limit

    @property
    def name(self) -> str:
        return self.hands.transport.name


def way_now(db: Database, hands: Hands, fallback: Fallback | None, *, stream: Stream) -> Way:
    """The way for the next batch of a stream; without a fallback there is nothing to choose."""
    if fallback is None:
        return Way(hands)
    with db.read() as session:
        return choose_way(session, hands, fallback, stream=stream, now=db.now())


def choose_way(
    session: Session,
    hands: Hands,
    fallback: Fallback,
    *,
    stream: Stream,
    now: datetime,
    draw: float | None = None,
) -> Way:
    """The first way, or the fallback while the first is closed or the dice say so. `draw` in [0, 1) replaces the dice,
    for tests."""
    first = Way(hands)
    dice = random.random() if draw is None else draw  # noqa: S311 (spreading mail, not guarding a secret)
    if dice * 100 >= fallback.share and outbox.is_open(session, first.name, stream=stream, now=now):
        return first
    if not outbox.is_open(session, fallback.hands.transport.name, stream=stream, now=now):
        return first
    if not fallback.per_day:
        return Way(fallback.hands, is_fallback=True)
    left = outbox.allowance_left(session, fallback.hands.transport.name, per_day=fallback.per_day, now=now)
    return Way(fallback.hands, True, fallback.per_day, left) if left else first
