"""Databases to measure on: fresh, migrated, and with the statistics that a database gathers by itself."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from outreach.migrating import migrate
from outreach.models import Database
from tests import servers
from tests.shelf import create_database


@dataclass(frozen=True, slots=True)
class Ground:
    """What one run stands on: an empty database, and a folder for everything else."""

    folder: Path
    url: str
    db: Database


@contextmanager
def ground(database: str) -> Iterator[Ground]:
    """Ground of its own for one run on "sqlite" or "postgresql"."""
    with databases([database]) as places, ground_at(places[database]) as made:
        yield made


@contextmanager
def ground_at(place: str) -> Iterator[Ground]:
    """The same where a server runs already; `place` as `fresh_database` takes it."""
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name:
        folder = Path(name)
        url = fresh_database(place, folder)
        db = Database(url)
        try:
            yield Ground(folder, url, db)
        finally:
            db.close()


@contextmanager
def databases(wanted: Sequence[str]) -> Iterator[dict[str, str]]:
    """Name → what `fresh_database` takes. PostgreSQL is a real one that keeps what it commits."""
    given = {"sqlite": "sqlite"} if "sqlite" in wanted else {}
    if "postgresql" not in wanted:
        yield given
        return
    with servers.postgres(durable=True) as url:
        yield {**given, "postgresql": url}


def fresh_database(place: str, folder: Path) -> str:
    """The address of a new database with all tables: on the PostgreSQL server at `place`, or "sqlite" in `folder`."""
    if place == "sqlite":
        url = f"sqlite:///{folder / 'outreach.db'}"
    else:
        name = f"bench_{time.monotonic_ns()}"
        create_database(place, name)
        url = make_url(place).set(database=name).render_as_string(hide_password=False)
    db = Database(url)
    migrate(db)
    db.close()
    return url


def name_of(place: str) -> str:
    """What a place's kind of database is called in figures."""
    return "sqlite" if place == "sqlite" else "postgresql"


def settle_down(db: Database) -> None:
    """What a database does by itself after a bulk load, done before the clock starts."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
