"""The doorbell never holds anybody up, and every bell has somebody who hears it."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
import structlog

from outreach import wake
from outreach.domain.deliveries import Stream
from tests.servers import free_port, redis_server
from workers import tasks
from workers.app import QUEUES, app
from workers.timetable import TIMETABLE


@pytest.fixture(autouse=True)
def _a_bell_nobody_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "_away_until", {})


def test_every_task_that_is_rung_for_exists() -> None:
    app.loader.import_default_modules()  # as a worker does

    assert tasks.send.name in wake.QUEUE_OF
    assert set(wake.QUEUE_OF) | set(wake.PLAIN) <= set(app.tasks)
    assert {entry["task"] for entry in TIMETABLE.values()} <= set(app.tasks)


def test_every_queue_has_a_worker() -> None:
    rung = {queue for by_stream in wake.QUEUE_OF.values() for queue in by_stream.values()} | set(wake.PLAIN.values())
    timed = {entry["options"]["queue"] for entry in TIMETABLE.values()}

    assert rung | timed <= set(QUEUES)
    assert {str(stream) for stream in Stream} <= rung


@pytest.mark.parametrize("address", ["redis://127.0.0.1:{port}/0", "redis+socket:///nowhere/redis.sock"])
def test_a_bell_nobody_hears_is_false_and_no_error(address: str) -> None:
    with structlog.testing.capture_logs() as logs:
        assert wake.wake(address.format(port=free_port()), Stream.ACT) is False

    assert [line["event"] for line in logs] == ["doorbell_unheard"]


def test_after_a_ring_in_vain_the_bell_is_left_alone_for_a_while() -> None:
    address = f"redis://127.0.0.1:{free_port()}/0"

    with structlog.testing.capture_logs() as logs:
        wake.wake(address, Stream.ACT)
        wake.wake(address, Stream.ACT)

    assert len(logs) == 1, "the second call does not even try"


@pytest.mark.servers
def test_a_ring_goes_to_the_queue_of_its_stream_and_says_nothing_but_the_stream(tmp_path: Path) -> None:
    with redis_server(tmp_path) as (address, _), redis.Redis.from_url(address, decode_responses=True) as client:
        assert wake.wake(address, Stream.LETTERS, Stream.ACT)

        assert client.llen("outreach:letters") == client.llen("outreach:act") == 1
        assert client.llen("outreach:news") == 0


@pytest.mark.servers
def test_rings_are_heard_again_after_redis_lost_everything_or_was_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "_PAUSE", 0.0)
    port = free_port()
    with redis_server(tmp_path, port) as (address, _), redis.Redis.from_url(address) as client:
        wake.wake(address, Stream.ACT)
        client.flushall()
        assert wake.wake(address, Stream.ACT)
        assert client.llen("outreach:act") == 1
    assert wake.wake(address, Stream.ACT) is False
    with redis_server(tmp_path, port):  # the first ring may still meet a connection of the server that is gone
        assert wake.wake(address, Stream.ACT) or wake.wake(address, Stream.ACT)
