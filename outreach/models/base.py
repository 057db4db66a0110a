"""The database, and the types and constraint names decided once.

Two ways in. `Database.begin()` opens a writing transaction; on SQLite it takes the write lock at once
(`BEGIN IMMEDIATE`), because a transaction that reads first and writes later loses updates there without a word.
`Database.read()` opens a transaction that cannot write; dashboards use it, and it never blocks a writer.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Integer,
    MetaData,
    create_engine,
    event,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from outreach.errors import OutOfReach

#: SQLite only numbers rows by itself in a column of exactly this type.
Id = BigInteger().with_variant(Integer, "sqlite")


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC. SQLite forgets the zone; this gives it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def by_value(kind: type[Any]) -> Enum:
    """A column for a StrEnum: its values as plain text, so that a new member needs no change of type."""
    return Enum(kind, native_enum=False, length=24, values_callable=lambda e: [m.value for m in e])


class Base(DeclarativeBase):
    """Every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime()}  # noqa: RUF012 (SQLAlchemy reads it from the class)


def new_ref() -> str:
    """An opaque name for a row that leaves the house: 80 random bits, lower-case base32, 16 characters."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def insert_into(session: Session, table: Any) -> postgresql.Insert:
    """`INSERT INTO table`, with the `on_conflict_…` and `excluded` that both databases know."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    return insert(table)  # type: ignore[return-value]


class Database:
    """One process's way to the database. Make it after the fork, never before."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = url
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._writing = _engine(url, pool_size)
        self._reading = _engine(url, pool_size, read_only=True)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A writing transaction; committed when the block ends well, rolled back when it does not."""
        with _reachable(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one moment and cannot write."""
        with _reachable(), Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    def now(self) -> datetime:
        """The time that leases are measured by: the database server's, so that no worker's clock decides anything.

        SQLite has no server; there the one machine's own clock is the same thing.
        """
        if self.is_sqlite:
            return datetime.now(UTC)
        with self.read() as session:
            return session.execute(select(text("clock_timestamp()"))).scalar_one().astimezone(UTC)  # type: ignore[no-any-return]

    @property
    def engine(self) -> Engine:
        """The writing engine, for migrations and for what must speak to the driver."""
        return self._writing

    def close(self) -> None:
        """Let go of every connection."""
        self._writing.dispose()
        self._reading.dispose()


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        words = str(error.orig).strip() or type(error.orig).__name__
        advice = _advice(words.lower(), lost=error.connection_invalidated)
        if not advice:
            raise
        reason = words.splitlines()[0][:200].rstrip(".")
        raise OutOfReach(
            f"The database cannot be used ({reason}); nothing was lost.", where="OUTREACH_DATABASE_URL", advice=advice
        ) from error


#: What a driver says when the fault lies with the server or the file, and what a person can do about it.
_SIGNS = {
    "That file is no database, or is damaged: name another, or restore it from a backup.": (
        "not a database",
        "malformed",
    ),
    "Look at the disk: is there room, and may this user write there?": (
        "unable to open database",
        "disk i/o",
        "disk is full",
        "readonly database",
        "attempt to write a readonly",
    ),
    "Correct the name, the user or the password in the address.": (
        "could not translate host",
        "failed to resolve host",
        "authentication failed",
        "no password supplied",
        'fatal:  database "',
        'fatal:  role "',
    ),
    "Start the server, or correct the address.": (
        "connection refused",
        "connection failed",
        "could not connect",
        "server closed the connection",
        "terminating connection",
        "the database system is",
        "connection timeout",
        "too many clients",
    ),
}


def _advice(words: str, *, lost: bool) -> str:
    for advice, signs in _SIGNS.items():
        if any(sign in words for sign in signs):
            return advice
    return "Start the server, or correct the address." if lost else ""


def _engine(url: str, pool_size: int, *, read_only: bool = False) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(
            url, pool_size=pool_size, max_overflow=pool_size, hide_parameters=True, connect_args={"timeout": 20}
        )
        _tame_sqlite(engine, "BEGIN" if read_only else "BEGIN IMMEDIATE", read_only)
        return engine
    options = "-c statement_timeout=60000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
    if read_only:
        # One moment for all of a transaction's statements, as SQLite gives by itself.
        options += " -c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        hide_parameters=True,  # or its error messages would quote addresses and letters
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"connect_timeout": 5, "options": options},
    )


def _tame_sqlite(engine: Engine, begin: str, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is below
        # SQLite's own knows the letters of ASCII only, and a signer may live in ÖREBRO.
        connection.create_function("lower", 1, lambda text: text and str(text).lower(), deterministic=True)
        cursor = connection.cursor()
        if not read_only:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # NORMAL may lose the last commits when the power fails
        cursor.execute("PRAGMA foreign_keys=ON")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
