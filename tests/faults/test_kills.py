"""Whole workers killed in the middle, and sent home in the middle: F6 and F8 of the fault matrix."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.trial import HANDOVERS, POOL, children, trial

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

LETTERS = 240
SLOW = "delay=0.02"


def test_fault_f6_killed_workers_lose_nothing_and_send_nothing_twice(tmp_path: Path, database_url: str) -> None:
    """Main process and pool at once, twice; then one pool process alone, as the kernel does when memory runs out."""
    with trial(tmp_path, database_url, letters=LETTERS, faults=SLOW) as it:
        for _ in range(2):
            worker = it.engine.start_worker(concurrency=POOL)
            it.ring()
            it.await_letters(len(it.provider.taken()) + LETTERS // 8)
            it.engine.kill(worker)
            assert not it.engine.at_rest(), "it was killed in the middle"
        worker = it.engine.start_worker(concurrency=POOL)
        it.ring()
        it.await_letters(len(it.provider.taken()) + LETTERS // 8)
        os.kill(children(worker.pid)[-1], signal.SIGKILL)
        it.until_at_rest()
        assert worker.poll() is None, "it went on with another pool process"
        it.judge(most_in_doubt=2 * POOL * HANDOVERS + HANDOVERS)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_fault_f8_a_rolling_restart_leaves_no_doubt(tmp_path: Path, database_url: str) -> None:
    with trial(tmp_path, database_url, letters=2 * LETTERS, faults=SLOW, workers=1) as it:
        old = it.engine.processes[0]
        for _ in range(3):
            it.ring()
            it.await_letters(len(it.provider.taken()) + LETTERS // 8)
            new = it.engine.start_worker(concurrency=POOL)
            old.terminate()
            assert old.wait(60) == 0
            old = new
        assert not it.engine.at_rest(), "it was in the middle all the time"
        it.until_at_rest()
        it.judge(most_in_doubt=0)
