"""What the tests of several nodes share: one house of three nodes for all that leave it whole."""

from collections.abc import Iterator

import pytest

from tests.nodes.house import House, house
from tests.postgres.cluster import Cluster, database


@pytest.fixture(scope="session")
def shared_house(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Three nodes in strict mode."""
    with (
        database(postgres) as name,
        house(tmp_path_factory.mktemp("nodes"), postgres, name) as made,
    ):
        yield made


@pytest.fixture
def three(shared_house: House) -> Iterator[House]:
    """The same, put right afterwards."""
    shared_house.mend()
    yield shared_house
    shared_house.mend()
