"""Scenes that tests of waves begin with, and the acts they share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from outreach import outbox, waves
from outreach.domain.deliveries import State, Stream
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import Campaign, Consent, Database, Delivery, Signature, SignatureState, Supporter, Wave, new_ref
from outreach.outbox import Answer, Books
from outreach.settings import Settings
from outreach.transports.base import NoAnswer, Receipt, Refused
from tests import factories

LEASE = timedelta(minutes=2)


def holding_campaign(session: Session, *, targets: int = 1, **given: Any) -> Campaign:
    """A campaign whose confirmed letters wait for waves."""
    return factories.campaign(session, targets=targets, hold_for_waves=True, **given)


def confirmed(session: Session, campaign: Campaign, n: int = 1, **given: Any) -> list[Signature]:
    """`n` signers who confirmed, with their letters in the outbox, as confirming leaves them."""
    made = [factories.signature(session, campaign, state=SignatureState.CONFIRMED, **given) for _ in range(n)]
    targets = factories.targets_of(session, campaign)
    hashes = {target.id: f"{target.id:064d}" for target in targets}
    now = given.get("now", factories.NOON)
    outbox.enqueue_letters_of(session, [(one, hashes) for one in made], keys=factories.KEYS, now=now)
    return made


def agreeing(session: Session, campaign: Campaign, n: int = 1, **given: Any) -> list[Signature]:
    """`n` confirmed signers who agreed to updates; nothing else is made."""
    made = [factories.signature(session, campaign, state=SignatureState.CONFIRMED, **given) for _ in range(n)]
    for one in made:
        factories.consent(session, one.supporter, campaign=campaign, purpose="updates")
    return made


def crowd(session: Session, campaign: Campaign, n: int, *, now: datetime = factories.NOON) -> None:
    """The same as `agreeing`, in three statements, for tests that need many."""
    first = (session.scalar(select(func.max(Supporter.id))) or 0) + 1
    ids = range(first, first + n)
    people = [
        {"id": i, "ref": new_ref(), "address": f"c{i}@example.org", "address_key": f"c{i}@example.org",
         "address_hash": f"crowd-{i}", "created_at": now}
        for i in ids
    ]  # fmt: skip
    signed = [
        {"ref": new_ref(), "campaign_id": campaign.id, "supporter_id": i, "state": SignatureState.CONFIRMED,
         "name": f"Ada Number {i}", "created_at": now, "confirmed_at": now}
        for i in ids
    ]  # fmt: skip
    agreed = [
        {"supporter_id": i, "campaign_id": campaign.id, "purpose": "updates", "given": True, "wording": "Write to me.",
         "source": "web", "at": now}
        for i in ids
    ]  # fmt: skip
    session.execute(insert(Supporter), people)
    session.execute(insert(Signature), signed)
    session.execute(insert(Consent), agreed)


@dataclass
class Scene:
    """One database with its settings and a clock that tests set forward."""

    db: Database
    settings: Settings
    now: datetime
    stream: Stream = Stream.LETTERS
    accepted: list[int] = field(default_factory=list)

    def plan(self, campaign: Campaign, kind: WaveKind = WaveKind.LETTERS, **given: Any) -> int:
        """A draft; mailings come with words and have been looked at. No canary unless the test says so."""
        if kind is WaveKind.MAILING:
            given = {
                "subject": "News of {{ campaign.title }}",
                "body": "Dear {{ signer.first_name }},\n\nwe won.",
            } | given
        looked_at = given.pop("looked_at", True)
        draft = waves.Draft(campaign.slug, kind, **({"undo_seconds": 0, "canary": 0} | given))
        with self.db.begin() as session:
            wave = waves.plan(session, draft, settings=self.settings, now=self.now, actor="test")
            if kind is WaveKind.MAILING and looked_at:
                wave.previewed_at = self.now
            return wave.id

    def start(self, wave_id: int, **given: Any) -> None:
        with self.db.begin() as session:
            waves.start(session, wave_id, settings=self.settings, now=self.now, actor="test", **given)

    def started(self, campaign: Campaign, kind: WaveKind = WaveKind.LETTERS, **given: Any) -> int:
        """Planned, started and carried on once."""
        wave_id = self.plan(campaign, kind, **given)
        self.start(wave_id)
        self.tick()
        return wave_id

    def act(self, verb: Any, wave_id: int, **given: Any) -> None:
        """`waves.pause`, `resume`, `cancel`, `undo` in a transaction."""
        with self.db.begin() as session:
            verb(session, wave_id, now=self.now, actor="test", **given)

    def tick(self, after: timedelta = timedelta(0)) -> waves.Ticked:
        """The chore, `after` from the last moment."""
        self.now += after
        return waves.tick(self.db, settings=self.settings, now=self.now)

    def wave(self, wave_id: int) -> Wave:
        with self.db.read() as session:
            return waves.find(session, wave_id)

    def state(self, wave_id: int) -> WaveState:
        return self.wave(wave_id).state

    def states(self, wave_id: int | None = None) -> Counter[State]:
        query = select(Delivery.state, func.count()).group_by(Delivery.state)
        if wave_id is not None:
            query = query.where(Delivery.wave_id == wave_id)
        with self.db.read() as session:
            return Counter(dict(session.execute(query).all()))

    def send(self, limit: int = 10_000, outcome: Any = None, stream: Stream | None = None) -> int:
        """One round by one worker: claim, intend, settle with `outcome` for all; how many were handed over."""
        with self.db.begin() as session:
            held = outbox.claim(
                session, stream or self.stream, transport="memory", now=self.now, limit=limit, lease=LEASE
            )
        if held is None:
            return 0
        with self.db.begin() as session, Books(session, now=self.now) as books:
            going = outbox.intend(session, held, held.ids, transport="memory", now=self.now, lease=LEASE, books=books)
        answers = [Answer(one, outcome or Receipt()) for one in going]
        with self.db.begin() as session, Books(session, now=self.now) as books:
            base = timedelta(seconds=30)
            outbox.settle(session, held, answers, transport="memory", now=self.now, retry_base=base, books=books)
        return len(answers)


REFUSED = Refused("never")
NO_ANSWER = NoAnswer("silence")


@pytest.fixture
def scene(db: Database, settings: Settings, now: datetime) -> Scene:
    return Scene(db, settings, now)
