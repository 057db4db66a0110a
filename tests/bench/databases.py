"""Databases to measure on: fresh, migrated, and with the statistics that a database gathers by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from outreach.migrating import migrate
from outreach.models import Database
from tests import servers


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
        server = make_url(place)
        with psycopg.connect(server.set(drivername="postgresql").render_as_string(False), autocommit=True) as c:
            c.execute(f'CREATE DATABASE "{name}"')
        url = server.set(database=name).render_as_string(hide_password=False)
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
