"""Which rings a worker throws away as too old, and when it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from workers import alive
from workers.rings import Ring


@pytest.fixture(autouse=True)
def right_afterwards() -> Iterator[None]:
    yield
    alive.compare_clocks(datetime.now(UTC))


def is_thrown_away(*, expired_for: timedelta) -> bool:
    ring = Ring.__new__(Ring)
    ring.id, ring.expires = "r", datetime.now(UTC) - expired_for
    return ring.maybe_expire()


def test_a_ring_that_is_too_old_is_thrown_away_and_another_is_not() -> None:
    alive.compare_clocks(datetime.now(UTC))
    assert is_thrown_away(expired_for=timedelta(seconds=5))
    assert not is_thrown_away(expired_for=timedelta(seconds=-5))


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(days=-1)])
def test_fault_f30_a_machine_whose_clock_is_off_throws_no_ring_away(off: timedelta) -> None:
    alive.compare_clocks(datetime.now(UTC) + off)
    assert not is_thrown_away(expired_for=timedelta(seconds=5))
