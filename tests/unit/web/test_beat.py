"""How long an answer takes tells nothing: the mechanism alone, on a clock of its own."""

from __future__ import annotations

import time

import pytest

from outreach.web import beat


@pytest.mark.parametrize("worked", [0.0, 0.001, 0.012, 0.0299])
def test_threat_b5_work_of_any_length_within_a_beat_ends_on_the_same_one(
    monkeypatch: pytest.MonkeyPatch, worked: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 1000 + worked)
    monkeypatch.setattr(time, "sleep", slept.append)
    beat.await_the_beat(1000)
    assert worked + slept[0] == pytest.approx(beat.BEAT)


def test_work_longer_than_a_beat_ends_on_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 1000 + 2.4 * beat.BEAT)
    monkeypatch.setattr(time, "sleep", slept.append)
    beat.await_the_beat(1000)
    assert slept == [pytest.approx(0.6 * beat.BEAT)]
