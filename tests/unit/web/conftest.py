"""The application on an empty SQLite database: what is tested here does not depend on the kind of database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from outreach.models import Database
from outreach.web.app import create_app
from tests.conftest import make_settings

Client = Callable[..., TestClient]


@pytest.fixture
def client_of(tmp_path: Path, sqlite_template: Path) -> Iterator[Client]:
    """`client_of(base_url=…, transport=…)`: a client of an application with these settings."""
    made: list[Database] = []

    def make(**more: str) -> TestClient:
        path = tmp_path / f"{len(made)}.db"
        shutil.copy(sqlite_template, path)
        settings = make_settings(tmp_path, f"sqlite:///{path}", **more)
        made.append(Database(settings.database))
        return TestClient(create_app(settings, made[-1]), base_url=settings.base_url, follow_redirects=False)

    yield make
    for db in made:
        db.close()


@pytest.fixture
def client(client_of: Client) -> TestClient:
    return client_of()
