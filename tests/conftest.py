"""Fixtures for every room. A test that takes `db` runs twice: on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from outreach.migrating import migrate
from outreach.models import Database
from outreach.settings import Settings
from tests import servers
from tests.shelf import Shelf, create_database

pytest_plugins = ["tests.compliance"]


@pytest.fixture
def now() -> datetime:
    """A working day's noon in UTC: Monday 2 March 2026."""
    return datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """A migrated database to copy from; its name."""
    create_database(postgres_server, "outreach_template")
    db = Database(make_url(postgres_server).set(database="outreach_template").render_as_string(hide_password=False))
    migrate(db)
    db.close()
    return "outreach_template"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    db = Database(f"sqlite:///{path}")
    migrate(db)
    db.close()
    return path


@pytest.fixture(scope="session")
def shelf(postgres_server: str, postgres_template: str) -> Shelf:
    """The PostgreSQL databases that tests may have."""
    return Shelf(postgres_server, postgres_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, migrated database of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "outreach.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        with request.getfixturevalue("shelf").lent() as url:
            yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings for the test's own database and data folder."""
    return make_settings(tmp_path, database_url)


def make_settings(folder: Path, database_url: str = "", **more: str) -> Settings:
    given = {
        "OUTREACH_DATA_DIR": str(folder / "var"),
        "OUTREACH_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-test",
        "OUTREACH_POSTAL_ADDRESS": "1 Example Street, Springfield",
        "OUTREACH_ENV": "test",
        **({"OUTREACH_DATABASE_URL": database_url} if database_url else {}),
        **{f"OUTREACH_{name.upper()}": value for name, value in more.items()},
    }
    return Settings.from_env(given, dotenv=None)


@pytest.fixture
def with_settings(tmp_path: Path, database_url: str) -> Callable[..., Settings]:
    return lambda **more: make_settings(tmp_path, database_url, **more)
