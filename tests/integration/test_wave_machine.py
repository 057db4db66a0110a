"""Random lives of waves over the real code: whatever people, the clock and the provider do, in whatever order.

What must always hold: nothing of a wave leaves unless it is under way and its undo window is over; no letter leaves
twice; a wave that is over has nothing open; the books balance. `EXAMPLES=500` searches for longer.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import func, select

from outreach import outbox, waves
from outreach.audit import audit
from outreach.domain.deliveries import State
from outreach.domain.waves import WaveKind, WaveState
from outreach.errors import NotNow
from outreach.migrating import migrate
from outreach.models import Attempt, Campaign, Database, Delivery, Wave
from tests import factories
from tests.conftest import make_settings
from tests.integration.wave_scenes import NO_ANSWER, REFUSED, Scene, confirmed, holding_campaign

_OPEN = (State.HELD, State.QUEUED, State.CLAIMED, State.SENDING, State.IN_DOUBT)
_MOST = 3
Verb = Callable[..., Any]


@cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="outreach-waves-")) / "template.db"
    db = Database(f"sqlite:///{path}")
    migrate(db)
    db.close()
    return path


class Waves(RuleBasedStateMachine):
    """One campaign that holds its letters, and up to three waves over it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outreach-wave-"))
        shutil.copy(_template(), self.folder / "x.db")
        url = f"sqlite:///{self.folder / 'x.db'}"
        self.scene = Scene(Database(url), make_settings(self.folder, url), factories.NOON)
        with self.scene.db.begin() as session:
            self.campaign: Campaign = holding_campaign(session)
            confirmed(session, self.campaign, 3)
        self.ids: list[int] = [self.scene.started(self.campaign)]

    def teardown(self) -> None:
        self.scene.db.close()
        shutil.rmtree(self.folder)

    def pick(self, n: int) -> int:
        return self.ids[n % len(self.ids)]

    @precondition(lambda self: len(self.ids) < _MOST)
    @rule(undo=st.sampled_from([0, 0, 60]), later=st.sampled_from([False, False, True]), canary=st.sampled_from([0, 1]))
    def plan(self, undo: int, later: bool, canary: int) -> None:
        at = self.scene.now + timedelta(hours=1)
        start = f"{at:%Y-%m-%d %H:%M}" if later else "now"
        given = {"undo_seconds": undo, "canary": canary, "start": start, "zone": "UTC"}
        self.ids.append(self.scene.plan(self.campaign, WaveKind.LETTERS, **given))

    @rule(n=st.integers(0, _MOST))
    def start(self, n: int) -> None:
        self._try(n, self.scene.start)

    @rule(n=st.integers(0, _MOST), verb=st.sampled_from([waves.undo, waves.resume]))
    def go_back_or_on(self, n: int, verb: Verb) -> None:
        self._try(n, partial(self.scene.act, verb))

    @rule(n=st.integers(0, _MOST))
    def pause(self, n: int) -> None:
        self._try(n, partial(self.scene.act, waves.pause))

    @rule(n=st.integers(0, _MOST))
    def cancel(self, n: int) -> None:
        self._try(n, partial(self.scene.act, waves.cancel))

    def _try(self, n: int, verb: Verb) -> None:
        wave_id = self.pick(n)
        before = self.scene.state(wave_id)
        try:
            verb(wave_id)
        except NotNow:
            assert self.scene.state(wave_id) is before, "what is refused changes nothing"

    @rule(seconds=st.sampled_from([0, 5, 60, 60, 3600, 8000]))
    def tick(self, seconds: int) -> None:
        self.scene.tick(timedelta(seconds=seconds))

    @rule(limit=st.integers(1, 3), outcome=st.sampled_from([None, None, None, REFUSED, NO_ANSWER]))
    def send(self, limit: int, outcome: object) -> None:
        may = {
            id_
            for id_ in self.ids
            if (wave := self.scene.wave(id_)).state in (WaveState.SENDING, WaveState.NEEDS_ATTENTION)
            and wave.go_at is not None
            and wave.go_at <= self.scene.now
        }
        before = self._attempts()
        self.scene.send(limit, outcome)
        after = self._attempts()
        assert {id_ for id_ in after if after[id_] != before.get(id_)} <= may

    def _attempts(self) -> dict[int, int]:
        counted = select(Delivery.wave_id, func.count()).join(Attempt, Attempt.delivery_id == Delivery.id)
        with self.scene.db.read() as session:
            return dict(session.execute(counted.group_by(Delivery.wave_id)).all())  # type: ignore[arg-type]

    @rule(n=st.integers(1, 2))
    def more_people_confirm(self, n: int) -> None:
        with self.scene.db.begin() as session:
            confirmed(session, self.campaign, n)

    @rule()
    def the_provider_proves_what_was_in_doubt(self) -> None:
        with self.scene.db.begin() as session, outbox.Books(session, now=self.scene.now) as books:
            doubts = session.scalars(select(Delivery.id).where(Delivery.state == State.IN_DOUBT)).all()
            outbox.accept_evidence(session, books, doubts, self.scene.now)

    @invariant()
    def no_letter_leaves_twice(self) -> None:
        with self.scene.db.read() as session:
            assert not session.scalars(
                select(Attempt.delivery_id).group_by(Attempt.delivery_id).having(func.count() > 1)
            ).all()

    @invariant()
    def what_is_over_has_nothing_open(self) -> None:
        with self.scene.db.read() as session:
            over = select(Wave.id).where(Wave.state == WaveState.FINISHED)
            assert not session.scalars(
                select(Delivery.id).where(Delivery.wave_id.in_(over), Delivery.state.in_(_OPEN))
            ).all()
            called_off = select(Wave.id).where(Wave.state == WaveState.CANCELLED)
            left = select(Delivery.id).where(Delivery.wave_id.in_(called_off), Delivery.state.in_(_OPEN[:4]))
            assert not session.scalars(left).all()

    @invariant()
    def the_books_balance(self) -> None:
        with self.scene.db.read() as session:
            assert [p for p in audit(session, self.scene.settings).problems if p.kind in ("counter", "log")] == []


Waves.TestCase.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "15")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestWaves = Waves.TestCase
