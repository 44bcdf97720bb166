"""The fixtures for tests that need PostgreSQL: one server for all, a database for each."""

from collections.abc import Iterator

import pytest

from tests.postgres.cluster import Cluster, cluster, database


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A server that tests share; those that stop or pause it start their own."""
    with cluster() as server:
        yield server


@pytest.fixture
def postgres_database(postgres: Cluster) -> Iterator[str]:
    """The name of an empty database for this test alone."""
    with database(postgres) as name:
        yield name


@pytest.fixture
def postgres_url(postgres: Cluster, postgres_database: str) -> str:
    """Where it is, as `[store] url` wants to be told."""
    return postgres.url(postgres_database)
