"""A database that lost its last hour: F16 and F45 of the fault matrix.

The provider has mails that the restored books have not sent yet, or have never heard of. Nothing leaves until a person
says so, and what the reports prove by then does not leave again.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, select
from typer.testing import CliRunner

from outreach import outbox, people, suppression
from outreach.audit import audit
from outreach.cli.app import app
from outreach.domain.deliveries import Stream
from outreach.models import Alert, Delivery, Supporter
from tests.bench import scene
from tests.faults.trial import LETTERS, Trial, trial

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

LOST = 10


class Backup:
    """A copy of a trial's database, made while nobody is connected, and put in its place again."""

    def __init__(self, it: Trial, folder: Path) -> None:
        self._it, self._url = it, make_url(it.engine.settings.database)
        self._copy = folder / "backup.db"
        if it.engine.db.is_sqlite:
            with (
                contextlib.closing(sqlite3.connect(str(self._url.database))) as now,
                contextlib.closing(sqlite3.connect(self._copy)) as then,
            ):
                now.backup(then)
        else:
            self._server(f'CREATE DATABASE "{self._url.database}_backup" TEMPLATE "{self._url.database}"')

    def restore(self) -> None:
        if self._it.engine.db.is_sqlite:
            self._it.engine.db.close()
            file = Path(str(self._url.database))
            for left in file.parent.glob(f"{file.name}-*"):
                left.unlink()
            shutil.copy(self._copy, file)
        else:
            self._server(
                f'DROP DATABASE "{self._url.database}" WITH (FORCE)',
                f'CREATE DATABASE "{self._url.database}" TEMPLATE "{self._url.database}_backup"',
            )

    def _server(self, *statements: str) -> None:
        self._it.engine.db.close()
        server = self._url.set(drivername="postgresql", database="postgres").render_as_string(False)
        with psycopg.connect(server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def command(it: Trial, *words: str) -> dict[str, Any]:
    """What an operator types, answered as to a machine."""
    with contextlib.chdir(it.engine.folder):  # no .env of a developer lies here
        done = CliRunner().invoke(app, [*words, "--json"], env=it.engine.environ, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def claims_nothing(it: Trial) -> bool:
    """Whether a worker that asks now gets nothing, though letters are due."""
    lease = timedelta(seconds=5)
    with it.engine.db.begin() as session:
        held = outbox.claim(
            session, Stream.LETTERS, transport="sendgrid", now=it.engine.db.now(), limit=10, lease=lease
        )
        session.rollback()
    return held is None and it.states().get("queued", 0) > 0


def an_office_and_a_signer_say_no(it: Trial) -> tuple[str, int]:
    """Of the letters, those to the first office and that of the last signer will not leave: (address, supporter)."""
    with it.engine.db.begin() as session:
        office = session.scalars(select(Delivery.address_hash).order_by(Delivery.id).limit(1)).one() or ""
        signer = session.scalars(select(Supporter).order_by(Supporter.id.desc()).limit(1)).one()
        suppression.suppress(session, office, reason="staff", now=it.engine.now())
        people.erase(session, people.Person(signer.address_hash, signer.id), actor="test", now=it.engine.now())
        return office, signer.id


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_fault_f16_f45_after_a_restore_nothing_leaves_twice_and_no_means_no_again(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        backup = Backup(it, tmp_path)
        _, erased = an_office_and_a_signer_say_no(it)
        command(it, "suppressions", "export", str(tmp_path / "noes.jsonl"))
        scene.fill(it.engine.db, it.engine.keys, letters=LOST, targets=1, now=it.engine.now(), series="lost")
        worker = it.engine.start_worker()
        it.until_at_rest()
        left = len(it.provider.taken())
        assert it.states() == {"accepted": left, "suppressed": LETTERS // 4, "cancelled": 1}
        it.engine.kill(worker)

        backup.restore()
        assert it.states() == {"queued": LETTERS}
        told = command(it, "restored", "--noes", str(tmp_path / "noes.jsonl"))
        assert (told["stopped"], told["suppressed"], told["erased"], told["unknown"]) == (True, 2, 1, 0)
        it.engine.start_worker()
        it.ring()
        assert claims_nothing(it)

        it.report()
        told = command(it, "restored")
        assert told["stopped"]
        assert told["unknown"] == left, "of each mail of the lost hour, the attempt at least"
        command(it, "restored", "--accept", "--reason", "every mail of the hour was reported")
        it.finish(start=False)
        assert it.states() == {"accepted": left - LOST, "suppressed": LETTERS // 4, "cancelled": 1}
        assert set(it.provider.counts().values()) == {1}
        with it.engine.db.read() as session:
            assert session.get_one(Supporter, erased).erased_at is not None
            assert audit(session, it.engine.settings).problems == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_fault_f16_f45_reports_about_mails_that_nobody_knows_stop_everything_until_a_person_lets_go(
    tmp_path: Path, database_url: str
) -> None:
    """Nobody said that the database was restored: the provider's reports are the first to tell."""
    with trial(tmp_path, database_url) as it:
        backup = Backup(it, tmp_path)
        scene.fill(it.engine.db, it.engine.keys, letters=LOST, targets=1, now=it.engine.now(), series="lost")
        with it.engine.db.begin() as session:
            for id_ in range(1, 5):
                outbox.pull_brake(session, f"campaign:{id_}", actor="test", reason="", now=it.engine.now())
        worker = it.engine.start_worker()
        it.ring()
        it.await_letters(LOST)
        it.engine.kill(worker)

        backup.restore()
        it.report()
        with it.engine.db.read() as session:
            assert session.scalars(select(Alert.key).where(Alert.closed_at.is_(None))).all() == ["restored"]
        it.engine.start_worker()
        it.ring()
        assert claims_nothing(it)
        assert len(it.provider.taken()) == LOST

        command(it, "restored", "--accept", "--reason", "ten letters of the last minute, all reported")
        it.report(kinds=["open"])
        it.finish(start=False)
        assert it.states() == {"accepted": LETTERS}
        assert set(it.provider.counts().values()) == {1}
