"""A PostgreSQL that tests may take down, beside the one that all tests share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from outreach.migrating import migrate
from outreach.models import Database
from tests import servers

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[servers.Cluster]:
    with servers.postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_url(cluster: servers.Cluster) -> str:
    """The address of a fresh, migrated database in the cluster that may be taken down."""
    server = make_url(cluster.url)
    name = f"f{next(_numbers)}"
    with psycopg.connect(server.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = server.set(database=name).render_as_string(hide_password=False)
    db = Database(url)
    migrate(db)
    db.close()
    return url
