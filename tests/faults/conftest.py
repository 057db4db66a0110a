"""A PostgreSQL that tests may take down, beside the one that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.bench.databases import fresh_database


@pytest.fixture(scope="module")
def cluster() -> Iterator[servers.Cluster]:
    with servers.postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_url(cluster: servers.Cluster, tmp_path: Path) -> str:
    """The address of a fresh, migrated database in the cluster that may be taken down."""
    return fresh_database(cluster.url, tmp_path)
