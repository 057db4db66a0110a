"""Migrations: numbered, from nothing, both ways, and saying the same as the models."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from outreach.migrating import current, migrate, newest
from outreach.models import Base, Database
from outreach.paths import folder


def test_steps_are_numbered_and_named() -> None:
    names = sorted(p.stem for p in (folder("migrations") / "versions").glob("*.py"))
    assert [n[:4] for n in names] == [f"{i:04}" for i in range(1, len(names) + 1)]


def test_the_migrated_database_is_what_the_models_say(db: Database) -> None:
    assert current(db) == newest()
    with db.begin() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing(db: Database) -> None:
    migrate(db)
    assert current(db) == newest()


@pytest.mark.parametrize("table", ["audit_log", "consents"])
def test_append_only_tables_refuse_changes(db: Database, table: str) -> None:
    columns, values = {
        "audit_log": ("id, at, actor, action, subject", "1, '2026-01-01 00:00:00', 'cli', 'a', 's'"),
        "consents": (
            "id, supporter_id, purpose, given, wording, language, source, at",
            "1, 1, 'updates', true, 'w', 'en', 'web', '2026-01-01 00:00:00'",
        ),
    }[table]
    with db.begin() as session:
        if table == "consents":
            session.execute(
                text(
                    "INSERT INTO supporters (id, ref, address, address_key, address_hash, created_at) "
                    "VALUES (1, 'r', 'a@example.org', 'a@example.org', 'h', '2026-01-01 00:00:00')"
                )
            )
        session.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"))
    for change in (f"UPDATE {table} SET id = 2", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match="append-only"), db.begin() as session:
            session.execute(text(change))


def test_down_and_up_again(tmp_path: Path) -> None:
    from alembic import command

    from outreach.migrating import _config

    db = Database(f"sqlite:///{tmp_path}/x.db")
    migrate(db)
    config = _config()
    with db.begin() as session:
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "base")
    assert current(db) is None
    migrate(db)
    assert current(db) == newest()
    db.close()
