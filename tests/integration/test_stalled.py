"""A process that stands still is ended, and only that one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta

import pytest

from outreach import embedded, heartbeats
from outreach.models import Database
from outreach.settings import Settings
from outreach.stalled import GRACE, Watch


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    state = {"answers": True}
    monkeypatch.setattr(embedded, "answers", lambda _: state["answers"])
    return state


@pytest.fixture
def watch(settings: Settings, process: subprocess.Popen[bytes], redis: dict[str, bool]) -> Watch:
    return Watch(settings, lambda: {"worker": process.pid, "web": 1}, say=lambda _: None)


def beat(db: Database, process: subprocess.Popen[bytes], ago: float = 0) -> None:
    now = db.now() - timedelta(seconds=ago)
    with db.begin() as session:
        heartbeats.beat(session, heartbeats.name_of("worker", process.pid), kind="worker", now=now)


def looks(watch: Watch, db: Database, *moments: float) -> None:
    for moment in moments:
        watch.look(db, moment)


def test_who_is_silent_at_two_looks_is_ended(watch: Watch, db: Database, process: subprocess.Popen[bytes]) -> None:
    beat(db, process, ago=GRACE + 10)
    looks(watch, db, 0.0, GRACE + 1)
    assert process.poll() is None

    looks(watch, db, GRACE + 11)

    assert process.wait(10) == -9


def test_who_beats_is_left_alone(watch: Watch, db: Database, process: subprocess.Popen[bytes]) -> None:
    beat(db, process)
    looks(watch, db, 0.0, GRACE + 1, GRACE + 11)

    assert process.poll() is None


def test_who_has_only_just_started_is_given_its_time(
    watch: Watch, db: Database, process: subprocess.Popen[bytes]
) -> None:
    looks(watch, db, 0.0, GRACE / 2, GRACE - 1)

    assert process.poll() is None


def test_nobody_is_blamed_while_redis_is_away_or_has_only_just_come_back(
    watch: Watch, db: Database, process: subprocess.Popen[bytes], redis: dict[str, bool]
) -> None:
    redis["answers"] = False
    looks(watch, db, 0.0, GRACE + 1, GRACE + 11)
    redis["answers"] = True
    looks(watch, db, GRACE + 21, GRACE + 31)

    assert process.poll() is None


def test_one_late_look_after_the_machine_slept_ends_nobody(
    watch: Watch, db: Database, process: subprocess.Popen[bytes]
) -> None:
    beat(db, process, ago=3600)
    looks(watch, db, 0.0, GRACE + 1)
    beat(db, process)
    looks(watch, db, GRACE + 11)

    assert process.poll() is None
