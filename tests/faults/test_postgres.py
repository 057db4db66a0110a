"""PostgreSQL crashes, is away, throws everybody out, is full, or finds a deadlock: F14 to F18 of the fault matrix.

No worker dies here, and what the provider answered is kept until the database is back, so nothing is in doubt.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from outreach.domain.deliveries import State
from tests.faults.disks import fill_up, small_disk
from tests.faults.trial import HANDOVERS, POOL, Trial, trial
from tests.servers import Cluster

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180), pytest.mark.xdist_group("postgres that goes down")]

LETTERS = 200
SLOW = "delay=0.03"


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection of our own, as the superuser that everything here runs as."""
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False), autocommit=True)


def test_fault_f14_a_crashed_and_restarted_database_loses_nothing(
    tmp_path: Path, cluster: Cluster, cluster_url: str
) -> None:
    with trial(tmp_path, cluster_url, letters=LETTERS, faults=SLOW, beats=1, workers=1) as it:
        it.ring()
        for share in (1, 2):
            it.await_letters(share * LETTERS // 5)
            cluster.stop(signal.SIGQUIT)
            cluster.start()
        assert not it.engine.at_rest(), "it crashed in the middle"
        it.until_at_rest()
        it.judge(most_in_doubt=2 * POOL * HANDOVERS)


def test_fault_f14_connections_that_are_all_cut_lose_nothing(tmp_path: Path, cluster_url: str) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    with trial(tmp_path, cluster_url, letters=LETTERS, faults=SLOW, workers=1) as it, connect(cluster_url) as other:
        it.ring()
        for share in (1, 2, 3):
            it.await_letters(share * LETTERS // 6)
            assert other.execute(cut, [other.info.backend_pid]).fetchall()
        it.until_at_rest()
        it.judge(most_in_doubt=0)


def test_fault_f15_answers_that_come_while_the_database_is_down_are_written_down_afterwards(
    tmp_path: Path, cluster: Cluster, cluster_url: str
) -> None:
    with trial(tmp_path, cluster_url, faults="delay=0.5", lease_seconds="60") as it:
        it.engine.start_worker(concurrency=1)
        it.ring()
        it.engine.until(lambda: it.engine.states()[State.SENDING], "a round is in the air")
        cluster.stop(signal.SIGQUIT)
        it.await_letters(HANDOVERS)
        it.provider.control("faults", rates="")
        cluster.start()
        it.until_at_rest()
        it.judge(most_in_doubt=0)
        assert it.states() == {"accepted": it.letters}


def test_fault_f17_the_loser_of_a_deadlock_tries_again(tmp_path: Path, cluster_url: str) -> None:
    """The worker holds its deliveries and wants a counter; we hold the counters and want its deliveries."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    free = "SELECT count(*) FROM (SELECT 1 FROM deliveries FOR UPDATE SKIP LOCKED) AS f"
    with trial(tmp_path, cluster_url, lease_seconds="60") as it:
        it.engine.start_worker(concurrency=1)
        with connect(cluster_url) as other, connect(cluster_url) as looking:
            other.execute("SET deadlock_timeout = '60s'")  # so that the worker is the one that finds out, and loses
            it.ring()
            it.await_letters(HANDOVERS)
            other.execute("BEGIN")
            other.execute("SELECT * FROM counters FOR UPDATE")
            it.engine.until(lambda: looking.execute(waiting).fetchall(), "the worker waits for a counter")
            assert looking.execute(free).fetchone() != (it.letters,), "and holds deliveries: the ring closes"
            other.execute("SELECT * FROM deliveries FOR UPDATE")
            other.execute("ROLLBACK")
        assert "DeadlockDetected" not in it.engine.tails(), "it is nobody's error"
        it.until_at_rest()
        it.judge(most_in_doubt=0)
        assert it.states() == {"accepted": it.letters}


def test_fault_f18_a_full_disk_stops_the_letters_and_room_lets_them_go(tmp_path: Path, cluster_url: str) -> None:
    """What cannot be intended is not sent, and what was answered is written down once there is room."""
    with small_disk("24m") as disk, connect(_server(cluster_url)) as other:
        if os.geteuid() == 0:
            shutil.chown(disk, "nobody", "nogroup")
        name = make_url(cluster_url).database
        other.execute(f"CREATE TABLESPACE small_{name} LOCATION '{disk}'")
        other.execute(f"ALTER DATABASE {name} SET TABLESPACE small_{name}")
        try:
            with trial(tmp_path, cluster_url, letters=LETTERS, faults=SLOW, lease_seconds="60") as it:
                it.engine.start_worker(concurrency=1)
                it.ring()
                it.await_letters(HANDOVERS)
                ballast = fill_up(disk)
                it.engine.until(lambda: _cannot_grow(cluster_url) and _answers_wait(it), "it has met the full disk")
                assert len(it.provider.taken()) < LETTERS
                ballast.unlink()
                it.until_at_rest()
                it.judge(most_in_doubt=0)
                assert it.states() == {"accepted": LETTERS}
        finally:
            other.execute(f"DROP DATABASE {name} WITH (FORCE)")
            other.execute(f"DROP TABLESPACE small_{name}")


def _answers_wait(it: Trial) -> bool:
    return len(it.provider.taken()) == it.engine.states()[State.ACCEPTED] + HANDOVERS


def _server(url: str) -> str:
    return make_url(url).set(database="postgres").render_as_string(False)


def _cannot_grow(url: str) -> bool:
    with connect(url) as other:
        try:
            other.execute("CREATE TABLE filler AS SELECT repeat(md5(n::text), 20) FROM generate_series(1, 500) n")
        except psycopg.errors.DiskFull:
            return True
        other.execute("DROP TABLE filler")
        return False
