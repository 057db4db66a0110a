"""How long a mailing to very many signers takes to become deliveries, beside a bare `INSERT … SELECT` of as many rows.

The build looks up consents, suppressions and the mails of the week for each signer, and writes the books; the bare
statement knows nothing and keeps three columns under the same kind of unique index.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text

from outreach.models import Counter, Database, Delivery
from outreach.settings import Settings
from tests.bench import crowd
from tests.bench.databases import ground, settle_down
from tests.bench.environs import environ_of
from tests.bench.figures import rounded

_BARE = (
    "CREATE TABLE bare_{0} (wave_id bigint, supporter_id bigint, state varchar(24), due_at timestamp)",
    "CREATE UNIQUE INDEX uq_bare_{0} ON bare_{0} (wave_id, supporter_id)",
    "INSERT INTO bare_{0} SELECT 1, supporter_id, 'queued', created_at FROM signatures",
)


@dataclass(frozen=True, slots=True)
class Built:
    """`rows` signers became `planned` deliveries. `first_s`: until the first of them may leave. Memory is the peak of
    the process that builds; `wal_mb` what the database wrote ahead meanwhile, None where that cannot be asked.
    """

    database: str
    rows: int
    planned: int
    seconds: float
    first_s: float
    reference_s: float
    cpu_s: float
    rss_mb: float
    wal_mb: float | None
    lost: int
    doubled: int

    def as_json(self) -> dict[str, Any]:
        """`ratio` is ours to the bare statement's in rows a second, as in the other figures."""
        per_s, bare_per_s = self.rows / self.seconds, self.rows / self.reference_s
        rates = {"rows_per_s": per_s, "reference_per_s": bare_per_s, "ratio": per_s / bare_per_s}
        return rounded(asdict(self) | rates, 3)


def build(rows: int, database: str) -> Built:
    """Plan one mailing to a campaign that `rows` people signed, one in ten of whom it must not reach."""
    with ground(database) as on:
        db, environ = on.db, environ_of(on.folder, on.url)
        settings = Settings.from_env(environ, dotenv=None)
        slug, expected = crowd.gather(db, people=rows, now=datetime.now(UTC))
        settle_down(db)
        wave_id = crowd.start_mailing(db, slug, settings=settings, now=datetime.now(UTC))
        before = _bare(db, "before")
        wal = _wal(db)
        told = _in_a_process(environ)
        wal_mb = None if wal is None else (_wal(db) or 0.0) - wal
        reference = (before + _bare(db, "after")) / 2
        planned, readers, counted = _counted(db, wave_id)
        return Built(
            database,
            rows,
            planned,
            told["seconds"],
            told["first_s"],
            reference,
            told["cpu_s"],
            told["rss_mb"],
            wal_mb,
            lost=abs(expected - readers) + abs(planned - counted),
            doubled=planned - readers,
        )


def _in_a_process(environ: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.builder"]
    process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the builder did not start"
        told: dict[str, float] = json.loads(process.communicate("go\n")[0])
    finally:
        process.kill()
        process.wait()
    return told


def _bare(db: Database, name: str) -> float:
    """Seconds that the bare statement takes, its commit included."""
    with db.engine.begin() as connection:
        if not db.is_sqlite:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for statement in _BARE[:2]:
            connection.exec_driver_sql(statement.format(name))
        began = time.monotonic()
        connection.exec_driver_sql(_BARE[2].format(name))
    return time.monotonic() - began


def _wal(db: Database) -> float | None:
    """Megabytes written ahead since the server was made."""
    if db.is_sqlite:
        return None
    with db.read() as session:
        return float(session.scalar(text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")) or 0) / 1024**2


def _counted(db: Database, wave_id: int) -> tuple[int, int, int]:
    """How many deliveries the wave has, to how many people, and what the books say."""
    with db.read() as session:
        mine = select(func.count(), func.count(Delivery.supporter_id.distinct())).where(Delivery.wave_id == wave_id)
        rows, people = session.execute(mine).one()
        booked = session.scalar(select(func.sum(Counter.n)).where(Counter.wave_id == wave_id))
    return rows, people, int(booked or 0)
