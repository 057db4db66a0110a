"""No beat, and five: F32 and F33 of the fault matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import scene
from tests.faults.trial import LETTERS, trial

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_fault_f32_f33_without_a_beat_letters_wait_and_with_five_each_leaves_once(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url, beats=1, workers=1) as it:
        it.engine.until(it.engine.at_rest, "the sweep rang for them")
        for beat in it.engine.running("beat"):
            it.engine.kill(beat)
        scene.fill(it.engine.db, it.engine.keys, letters=40, targets=2, now=it.engine.now(), series="late")
        it.letters += 40
        assert len(it.provider.taken()) == LETTERS
        for _ in range(5):
            it.engine.start_beat()
        it.engine.until(it.engine.at_rest, "what came in meanwhile left")
        assert it.states() == {"accepted": LETTERS + 40}
        it.judge(most_in_doubt=0)
