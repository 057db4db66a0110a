"""What goes wrong, by the dice: processes killed and stopped, Redis and PostgreSQL taken down, connections cut.

Each act is one function of a `Place`; it leaves behind an engine with as many processes as before.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis
from sqlalchemy import make_url

from tests import servers
from tests.faults.trial import children
from tests.journeys.engine import Engine

#: Longer than a lease now and then, so that what was held is another's when its holder wakes up.
_LONGEST_STOP = 8.0


@dataclass
class Place:
    """All that can be broken, and how often it was."""

    engine: Engine
    cluster: servers.Cluster
    redis: Redis
    concurrency: int
    done: Counter[str] = field(default_factory=Counter)
    asleep: list[tuple[float, subprocess.Popen[bytes]]] = field(default_factory=list)  #: until when (monotonic)

    def running(self, name: str) -> list[subprocess.Popen[bytes]]:
        """The processes of one kind that run and are not asleep."""
        sleeping = {process for _, process in self.asleep}
        return [p for p in self.engine.running(name) if p not in sleeping]

    def wake(self, *, all_of_them: bool = False) -> None:
        """SIGCONT for those whose time is over."""
        for entry in list(self.asleep):
            until, process = entry
            if all_of_them or time.monotonic() >= until:
                self.asleep.remove(entry)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGCONT)


class Redis:
    """A Redis at one port, which comes back empty when it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = servers.free_port()
        self._lives = 0
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        self._lives += 1
        self._server = servers.redis_server(self._folder / f"redis-{self._lives}", self._port)
        _, self._process = self._server.__enter__()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        self._server.__exit__(None, None, None)


def kill_worker(place: Place, dice: random.Random) -> bool:
    """SIGKILL for a whole worker, and another one instead."""
    workers = place.running("worker")
    if workers:
        place.engine.kill(dice.choice(workers))
        place.engine.start_worker(concurrency=place.concurrency)
    return bool(workers)


def kill_pool_process(place: Place, dice: random.Random) -> bool:
    """SIGKILL for one process of a pool, as the kernel does when memory runs out."""
    pools = [pid for worker in place.running("worker") for pid in children(worker.pid)]
    if pools:
        with suppress(ProcessLookupError):
            os.kill(dice.choice(pools), signal.SIGKILL)
    return bool(pools)


def stop_worker(place: Place, dice: random.Random) -> bool:
    """SIGSTOP for a whole worker; it wakes up after a while."""
    workers = place.running("worker")
    if len(workers) < 2:
        return False
    worker = dice.choice(workers)
    os.killpg(worker.pid, signal.SIGSTOP)
    place.asleep.append((time.monotonic() + dice.uniform(0.5, _LONGEST_STOP), worker))
    return True


def roll_worker(place: Place, dice: random.Random) -> bool:
    """A new worker comes, an old one is sent home."""
    workers = place.running("worker")
    if workers:
        place.engine.start_worker(concurrency=place.concurrency)
        place.engine.send_home(dice.choice(workers))
    return bool(workers)


def kill_beat(place: Place, dice: random.Random) -> bool:
    """SIGKILL for one of the beats, and another one instead."""
    place.engine.kill(dice.choice(place.running("beat")))
    place.engine.start_beat()
    return True


def kill_web(place: Place, _dice: random.Random) -> bool:
    """SIGKILL for the process that takes reports; it comes back."""
    for process in place.running("web"):
        place.engine.kill(process)
    place.engine.start_web()
    return True


def restart_redis(place: Place, dice: random.Random) -> bool:
    """SIGKILL for Redis; it comes back empty after a moment."""
    place.redis.kill()
    time.sleep(dice.uniform(0.0, 2.0))
    place.redis.start()
    return True


def flush_redis(place: Place, _dice: random.Random) -> bool:
    """Every doorbell is gone."""
    with redis.Redis.from_url(place.redis.url) as client:
        client.flushall()
    return True


def cut_connections(place: Place, _dice: random.Random) -> bool:
    """Every connection to the database ends."""
    url = make_url(place.engine.db.url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    return True


def crash_postgres(place: Place, dice: random.Random) -> bool:
    """An immediate stop; it recovers after a moment."""
    place.cluster.stop(signal.SIGQUIT)
    time.sleep(dice.uniform(0.0, 2.0))
    place.cluster.start()
    return True


ACTS: dict[Callable[[Place, random.Random], bool], int] = {
    kill_worker: 6,
    kill_pool_process: 4,
    stop_worker: 4,
    roll_worker: 1,
    kill_beat: 1,
    kill_web: 1,
    restart_redis: 2,
    flush_redis: 2,
    cut_connections: 2,
    crash_postgres: 1,
}
KILLS = ("kill_worker", "kill_pool_process", "kill_beat", "kill_web")
RESTARTS = ("restart_redis", "crash_postgres")


def strike(place: Place, dice: random.Random) -> str:
    """One act by the dice; its name, or "" when it could not be done now."""
    act = dice.choices(list(ACTS), list(ACTS.values()))[0]
    if not act(place, dice):
        return ""
    place.done[act.__name__] += 1
    return act.__name__
