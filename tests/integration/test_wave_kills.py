"""Builders of waves, killed at any row and run beside each other: each supporter has the mailing once, none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from outreach.audit import audit
from outreach.domain.deliveries import State
from outreach.domain.waves import WaveKind
from outreach.models import Campaign, Delivery, LogEntry, Suppression
from tests.integration.wave_scenes import Scene, confirmed, crowd, holding_campaign

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
READERS, STOPPED, CHUNK = 2_000, 40, 100


def builder(scene: Scene, folder: Path, *, point: str = "") -> subprocess.Popen[bytes]:
    """A builder in a process of its own, which dies at `point` if one is given."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
    environ |= {"OUTREACH_ENV": "test", "OUTREACH_FAULTPOINTS": point, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.integration.wave_builder", scene.db.url, str(folder), str(CHUNK)]
    return subprocess.Popen(command, env=environ, cwd=folder, stdout=subprocess.DEVNULL)


def ends(processes: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    return [process.wait(120) for process in processes]


def a_started_mailing(scene: Scene) -> tuple[Campaign, int]:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        crowd(session, campaign, READERS)
        session.add_all(
            Suppression(address_hash=f"crowd-{n * 7 + 1}", scope="news", reason="unsubscribed", at=scene.now)
            for n in range(STOPPED)
        )
    wave_id = scene.plan(campaign, WaveKind.MAILING)
    scene.start(wave_id)
    return campaign, wave_id


def assert_exact(scene: Scene, wave_id: int, expected: int) -> None:
    assert scene.wave(wave_id).planned_at is not None
    assert scene.states(wave_id) == {State.QUEUED: expected}
    with scene.db.read() as session:
        mine = Delivery.wave_id == wave_id
        assert session.scalar(select(func.count(Delivery.supporter_id.distinct())).where(mine))
        logged = select(func.count()).select_from(LogEntry).join(Delivery, Delivery.id == LogEntry.delivery_id)
        assert session.scalar(logged.where(mine, LogEntry.to_state == State.QUEUED)) == expected
        assert [p for p in audit(session, scene.settings).problems if p.kind in ("counter", "log")] == []


def test_fault_f34_a_builder_killed_three_times_in_the_middle_of_a_chunk_loses_and_doubles_nobody(
    scene: Scene, tmp_path: Path
) -> None:
    _, wave_id = a_started_mailing(scene)
    planned = [0]
    for chunk in (1, 4, 6):
        (code,) = ends([builder(scene, tmp_path, point=f"plan_mid_chunk:{chunk}=kill")])
        assert code == -signal.SIGKILL
        planned.append(scene.states(wave_id)[State.QUEUED])
        assert scene.wave(wave_id).planned_at is None, "it was killed in the middle"
    assert planned == sorted(planned)
    assert planned[1] == 0, "the chunk it died in never happened"
    assert ends([builder(scene, tmp_path)]) == [0]
    assert_exact(scene, wave_id, READERS - STOPPED)


def test_fault_f34_two_builders_at_once_make_each_delivery_once(scene: Scene, tmp_path: Path) -> None:
    _, wave_id = a_started_mailing(scene)
    codes = ends([builder(scene, tmp_path) for _ in range(2)])
    assert codes == [0, 0]
    scene.tick()  # whoever found the wave locked has passed on
    assert_exact(scene, wave_id, READERS - STOPPED)


def test_fault_f34_two_waves_of_the_same_words_built_at_once_reach_nobody_twice(scene: Scene, tmp_path: Path) -> None:
    campaign, first = a_started_mailing(scene)
    second = scene.plan(campaign, WaveKind.MAILING)
    scene.start(second)
    assert ends([builder(scene, tmp_path) for _ in range(2)]) == [0, 0]
    scene.tick()
    assert scene.states(first)[State.QUEUED] + scene.states(second)[State.QUEUED] == READERS - STOPPED
    with scene.db.read() as session:
        readers = session.scalars(select(Delivery.supporter_id).where(Delivery.wave_id.in_([first, second]))).all()
    assert len(set(readers)) == len(readers)


def test_fault_f34_letters_released_by_a_builder_that_is_killed_all_leave_by_the_same_wave(
    scene: Scene, tmp_path: Path
) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, targets=2)
        confirmed(session, campaign, 125)
    wave_id = scene.plan(campaign)
    scene.start(wave_id)
    assert ends([builder(scene, tmp_path, point="plan_mid_chunk:2=kill")]) == [-signal.SIGKILL]
    assert scene.states() == {State.QUEUED: 100, State.HELD: 150}
    assert ends([builder(scene, tmp_path)]) == [0]
    assert scene.states(wave_id) == {State.QUEUED: 250}
    with scene.db.read() as session:
        assert [p for p in audit(session, scene.settings).problems if p.kind in ("counter", "log")] == []
