"""Bring a database to the shape this version needs, one numbered step after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alembic import command, op
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from .errors import OutOfReach
from .models.base import Database
from .paths import folder

#: Columns that a step gives to older tables: table → name, type in SQL, default for the rows there are ("" is NULL).
#: "TIME" is an aware time, "REF waves" points at the ids of `waves`.
Columns = Mapping[str, Sequence[tuple[str, str, str]]]

#: Any number, as long as every copy of the engine asks for the same lock.
_LOCK = 7_243_001


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder("migrations")).replace("%", "%%"))
    return config


def newest() -> str:
    """The step this version of the engine needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 (a wheel without migrations does not build)
    return head


def current(db: Database) -> str | None:
    """The step the database is at; None when it has no tables yet."""
    with db.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def migrate(db: Database, *, to: str = "head") -> None:
    """Run what is missing. Two processes may try at once: one waits, then finds nothing to do."""
    config = _config()
    with db.begin() as session:  # on SQLite this is already the write lock
        connection = session.connection()
        if not db.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def require_current(db: Database) -> None:
    """Raise OutOfReach unless the database is at the step this version needs."""
    at, need = current(db), newest()
    if at != need:
        raise OutOfReach(
            f"The database is at step {at or 'none'}, this version needs {need}.",
            where="OUTREACH_DATABASE_URL",
            advice="Run `outreach init`.",
        )


# ---- for the numbered steps ------------------------------------------------------------------------------------------


def add_columns(columns: Columns) -> None:
    """Add columns in place: making a table anew, as SQLite otherwise needs it, would lose its checks."""
    for table, added in columns.items():
        for name, kind, default in added:
            rest = f" DEFAULT {default} NOT NULL" if default else ""
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {_in_sql(table, name, kind)}{rest}")


def drop_columns(columns: Columns) -> None:
    """Take them away again, with what is in them."""
    for table, added in columns.items():
        for name, _, _ in added:
            op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")


def _in_sql(table: str, name: str, kind: str) -> str:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if kind == "TIME":
        return "DATETIME" if is_sqlite else "TIMESTAMP WITH TIME ZONE"
    if kind.startswith("REF "):
        other = kind.removeprefix("REF ")
        number = "INTEGER" if is_sqlite else "BIGINT"
        return f"{number} CONSTRAINT fk_{table}_{name}_{other} REFERENCES {other} (id)"
    return kind
