"""PostgreSQL databases that one test after the other is lent.

To make one is a hundred times as dear as to wipe one, and hundreds of them fill a disk. A database goes back on the
shelf only when nobody is connected to it any more and its tables, triggers and step are the template's; a test that
leaves it otherwise has it for good, and the next one gets a new one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import make_url

from outreach.models import Base

_WIPE = "; ".join(
    [
        "SET session_replication_role = replica",  # no foreign key, and no trigger that guards a ledger
        "SET lock_timeout = '2s'",
        *(f'DELETE FROM "{table.name}"' for table in Base.metadata.sorted_tables),
        "SELECT setval(c.oid, 1, false) FROM pg_class AS c WHERE c.relkind = 'S'",
    ]
)
_SHAPE = """
    SELECT (SELECT array_agg((relname, relkind, relnatts, relchecks, relhastriggers, reltablespace) ORDER BY oid)
            FROM pg_class WHERE oid >= 16384)::text,
           (SELECT array_agg((tgname, tgenabled) ORDER BY oid) FROM pg_trigger)::text,
           (SELECT dattablespace FROM pg_database WHERE datname = current_database()),
           (SELECT string_agg(version_num, ' ') FROM alembic_version)
"""
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def create_database(server: str, name: str, template: str = "template0") -> None:
    """A new database on a server of the tests."""
    with _connected(server, "postgres") as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


class Shelf:
    """The databases of one server, all made from one template."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[str] = []
        self._numbers = itertools.count(1)
        with _connected(server, template) as connection:
            self._shape = connection.execute(_SHAPE).fetchone()

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The address of a database with empty tables."""
        name = self._free.pop() if self._free else self._make()
        yield make_url(self._server).set(database=name).render_as_string(hide_password=False)
        if self._is_as_before(name):
            self._free.append(name)

    def _make(self) -> str:
        name = f"t{next(self._numbers)}"
        create_database(self._server, name, self._template)
        return name

    def _is_as_before(self, name: str) -> bool:
        try:
            with _connected(self._server, name) as connection:
                if connection.execute(_OTHERS).fetchone() != (0,):
                    return False
                connection.execute(_WIPE)
                return connection.execute(_SHAPE).fetchone() == self._shape
        except psycopg.Error:  # locked, stopped, or gone
            return False


def _connected(server: str, database: str) -> psycopg.Connection:
    url = make_url(server).set(drivername="postgresql", database=database)
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
