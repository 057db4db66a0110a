"""A SQLite file that somebody else holds, or whose disk is full: F19 of the fault matrix."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from outreach.domain.deliveries import State
from tests.faults.disks import fill_up, small_disk
from tests.faults.trial import HANDOVERS, Trial, trial

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_fault_f19_answers_wait_for_a_file_that_somebody_else_holds(tmp_path: Path, database_url: str) -> None:
    file = str(make_url(database_url).database)
    with (
        trial(tmp_path, database_url, faults="delay=0.3", lease_seconds="60") as it,
        closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        it.engine.start_worker(concurrency=1)
        it.ring()
        it.engine.until(lambda: it.engine.states()[State.SENDING], "a round is in the air")
        other.execute("BEGIN IMMEDIATE")
        it.await_letters(HANDOVERS)
        assert it.engine.states()[State.SENDING] == HANDOVERS, "reading goes on"
        other.execute("ROLLBACK")
        it.provider.control("faults", rates="")
        it.until_at_rest()
        it.judge(most_in_doubt=0)


def test_fault_f19_a_full_disk_stops_the_letters_and_room_lets_them_go(tmp_path: Path, sqlite_template: Path) -> None:
    with small_disk("8m") as disk:
        file = disk / "outreach.db"
        shutil.copy(sqlite_template, file)
        with trial(tmp_path, f"sqlite:///{file}", faults="delay=0.05", lease_seconds="60") as it:
            it.engine.start_worker(concurrency=1)
            it.ring()
            it.await_letters(HANDOVERS)
            ballast = fill_up(disk)
            it.engine.until(lambda: _answers_wait(it), "it has met the full disk")
            assert len(it.provider.taken()) < it.letters
            ballast.unlink()
            it.until_at_rest()
            it.judge(most_in_doubt=0)
            assert it.states() == {"accepted": it.letters}
            with closing(sqlite3.connect(file)) as looking:
                assert looking.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _answers_wait(it: Trial) -> bool:
    return len(it.provider.taken()) == it.engine.states()[State.ACCEPTED] + HANDOVERS
