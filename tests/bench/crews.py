"""Worker processes that send until the outbox is empty: the bare loop, or a real Celery worker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select

from outreach import heartbeats
from outreach.domain.deliveries import State, Stream
from outreach.embedded import broker_url
from outreach.models import Database, Delivery
from outreach.settings import Settings
from outreach.wake import wake
from tests import servers
from tests.bench.machine import children, cpu_of, peak_mb

_PATIENCE = 60.0


class Cost(NamedTuple):
    """Seconds from the first start to the last end, CPU seconds of all processes, peak memory of the largest."""

    seconds: float
    cpu_s: float
    rss_mb: float


def send_plainly(
    environ: dict[str, str], *, stream: Stream, processes: int, into_nothing: bool = False, profile: str = ""
) -> Cost:
    """The sending loop and nothing else, in so many processes. `profile` names the files of cProfile's figures."""
    command = [sys.executable, "-m", "tests.bench.worker", "--stream", stream]
    command += ["--transport", "nothing"] if into_nothing else []
    started = [
        subprocess.Popen(
            [*command, *(["--profile", f"{profile}.{n}"] if profile else [])],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(processes)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "a worker did not start"
        told = [json.loads(process.communicate()[0]) for process in _all_told(started)]
    finally:
        for process in started:
            process.kill()
            process.wait()
    seconds = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return Cost(seconds, sum(one["cpu_s"] for one in told), max(one["rss_mb"] for one in told))


def _all_told(started: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """All begin before any is waited for."""
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return started


def send_with_celery(
    environ: dict[str, str], settings: Settings, db: Database, *, stream: Stream, letters: int, processes: int
) -> Cost:
    """The same with a real Celery worker, whose pool is warm when the bell rings."""
    with celery_worker(environ, settings, db, queues=stream, processes=processes) as pid:
        pids = [pid, *children(pid)]
        cpu, began = sum(map(cpu_of, pids)), time.monotonic()
        wake(broker_url(settings), *[stream] * processes)
        while _accepted(db) < letters:
            time.sleep(0.05)
        seconds = time.monotonic() - began
        return Cost(seconds, sum(map(cpu_of, pids)) - cpu, max(map(peak_mb, pids)))


@contextmanager
def celery_worker(
    environ: dict[str, str], settings: Settings, db: Database, *, queues: str, processes: int
) -> Iterator[int]:
    """A Celery worker that has begun to listen: its pid."""
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-Q", queues, "-c", str(processes)]
    worker = subprocess.Popen(
        [*command, "--without-mingle", "--without-gossip"],
        env=environ,
        cwd=settings.data_dir.parent,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_heartbeat(db)
        yield worker.pid
    finally:
        servers.stop(worker, patience=30)


def _await_heartbeat(db: Database) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with db.read() as session:
            if heartbeats.alive(session, kind="worker", now=datetime.now(UTC)):
                return
        time.sleep(0.05)
    raise RuntimeError("the Celery worker did not come up")


def _accepted(db: Database) -> int:
    with db.read() as session:
        return session.execute(select(func.count()).where(Delivery.state == State.ACCEPTED)).scalar_one()
