"""A wave that is cancelled while real workers send it: F41 of the fault matrix."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from outreach import waves
from outreach.audit import audit
from outreach.domain.deliveries import State
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import Wave
from tests import factories
from tests.integration.wave_scenes import Scene, crowd
from tests.journeys.engine import provider_process, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

READERS, HANDOVERS, POOL = 1500, 4, 2


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_fault_f41_a_wave_cancelled_in_the_middle_stops_within_one_round_and_adds_up(
    tmp_path: Path, database_url: str
) -> None:
    with ExitStack() as stack:
        sink = stack.enter_context(provider_process("smtp_sink", tmp_path, scheme="smtp"))
        more = {"transport": "smtp", "smtp_url": sink.url, "handovers": str(HANDOVERS), "batch": "50"}
        engine = stack.enter_context(running(tmp_path, database_url, workers=0, **more))
        with engine.db.begin() as session:
            campaign = factories.campaign(session)
            crowd(session, campaign, READERS, now=engine.now())
        scene = Scene(engine.db, engine.settings, engine.now())
        wave_id = scene.started(campaign, WaveKind.MAILING)
        engine.start_worker(concurrency=POOL)
        engine.until(lambda: len(sink.taken()) >= READERS // 10, "readers get it")

        scene.now = engine.now()
        scene.act(waves.cancel, wave_id)
        at_the_cancel = len(sink.taken())
        engine.until(engine.at_rest, "what was in the air has landed, the rest is called off")
        left = len(sink.taken())
        assert left < READERS
        assert left <= at_the_cancel + HANDOVERS * POOL
        assert engine.states() == {State.ACCEPTED: left, State.CANCELLED: READERS - left}
        with engine.db.read() as session:
            assert session.get_one(Wave, wave_id).state is WaveState.CANCELLED
            assert audit(session, engine.settings).problems == []
