"""What nodes on one PostgreSQL tell of each other."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lastcall.metrics import StoreWork
from lastcall.stores.postgres import PostgresStore
from tests.client.running import PATIENCE
from tests.client.watching import until
from tests.contract.postgres import a_node
from tests.contract.rows import ANN, ONE, fill

pytestmark = pytest.mark.slow


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    one, other = await a_node(postgres_url, "a"), await a_node(postgres_url, "b")
    yield one, other
    await other.close()
    await one.close()


async def test_how_far_nodes_are_from_one_another(
    two: tuple[PostgresStore, PostgresStore],
) -> None:
    one, other = two
    writer, follower = StoreWork(), StoreWork()
    one.watch(writer)
    other.watch(follower)
    await fill(one, 1)
    async with one.transaction(ONE) as tx:
        ann = await tx.subject(ANN)
        assert ann is not None
        await tx.change_subject(replace(ann, name="changed"))
    await other.following.caught_up()
    await until(
        lambda: (
            sum(writer.spreads.counts) >= 1
            and sum(follower.lags.counts) == sum(writer.commits.counts) >= 2
        )
    )
    commits = sum(writer.commits.counts)
    assert 2 <= commits == sum(writer.sizes.counts) <= sum(writer.syncs.counts)
    assert sum(writer.turns.counts) >= commits
    assert sum(follower.lags.counts) == commits
    assert sum(writer.lags.counts) == 0
    assert 0 <= follower.lags.total < PATIENCE
    assert sum(writer.spreads.counts) >= 1
    assert 0 < writer.spreads.total < PATIENCE
    await until(lambda: bool(other.condition().lease) and not other.condition().behind)
    condition = other.condition()
    assert (condition.backend, condition.nodes) == ("postgresql", 2)
    assert condition.mode in ("strict", "leased")
    assert condition.lease is not None
    assert 0 < condition.lease <= other.following.name.lease
    assert condition.behind == 0
