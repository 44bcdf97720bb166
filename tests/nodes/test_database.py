"""The database restarts, fails over, freezes, is full of others, or is yesterday's again."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.checker import Answer
from tests.nodes.asking import PATIENCE
from tests.nodes.crowd import crowd
from tests.nodes.house import LEASE, House, house, person
from tests.nodes.test_network import known_everywhere, until_sure
from tests.nodes.test_processes import end_each, out_each
from tests.postgres.cluster import (
    OWNER,
    Cluster,
    cluster,
    database,
    promote,
    standby,
)

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def own_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Three nodes on a server that no other test needs."""
    with (
        cluster(max_connections="40") as server,
        database(server) as name,
        house(tmp_path_factory.mktemp("own"), server, name) as made,
    ):
        yield made


@pytest.fixture
def own(own_house: House) -> Iterator[House]:
    own_house.mend()
    yield own_house
    own_house.mend()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
async def test_the_database_is_restarted_amid_logouts(own: House, how: signal.Signals) -> None:
    async with crowd(own) as people:
        mine = await known_everywhere(people, 40)
        spared = await known_everywhere(people, 3, person(1))
        async with people.checking(per_node=2):
            ending = asyncio.create_task(end_each(people, mine, [0, 1, 2], 0.01))
            await asyncio.sleep(0.15)
            if how is signal.SIGKILL:
                await asyncio.to_thread(own.cluster.kill)
                await asyncio.sleep(0.5)
                await asyncio.to_thread(own.cluster.start)
            else:
                await asyncio.to_thread(own.cluster.restart, how)
            await ending
            await until_sure(people, spared)
            await out_each(people, mine, [1])
        for one in mine:
            assert await people.told(one) == [False, False, False]


async def test_without_the_database_nothing_is_accepted_for_longer_than_the_lease(
    own: House,
) -> None:
    async with crowd(own) as people:
        spared = await known_everywhere(people, 3, person(1))
        await asyncio.to_thread(own.cluster.stop, signal.SIGQUIT)
        await asyncio.sleep(LEASE + 0.3)
        for one in spared:
            assert await people.everywhere(one) == [None, None, None]
        asked = time.monotonic()
        assert await people.log_out(own.nodes[0], spared[0]) is Answer.LOST
        assert time.monotonic() - asked < PATIENCE
        await asyncio.to_thread(own.cluster.start)
        await until_sure(people, spared[1:])
        await people.out_at_last(own.nodes[1], spared[0])


async def test_others_take_every_connection_there_is(own: House) -> None:
    async with crowd(own) as people:
        mine = await known_everywhere(people, 12)
        async with full(own), people.checking(per_node=2):
            for node in own.nodes:
                node.proxy.reset()  # so that the nodes need new ones, and others want them too
            await end_each(people, mine[:6], [0, 1, 2])
        await until_sure(people, mine[6:7])
        for one in mine:
            await people.out_at_last(own.nodes[2], one)
            assert await people.told(one) == [False, False, False]


@asynccontextmanager
async def full(own: House) -> AsyncIterator[None]:
    """Others in the database, who ask nothing: whatever connection there is, one of them has it."""
    refused, over = asyncio.Event(), asyncio.Event()

    async def occupy() -> None:
        while not over.is_set():
            try:
                db = await asyncpg.connect(own.cluster.url(own.database), timeout=PATIENCE)
            except asyncpg.TooManyConnectionsError:
                refused.set()
                await asyncio.sleep(0.05)
                continue
            await over.wait()
            db.terminate()

    others = [asyncio.create_task(occupy()) for _ in range(40)]
    try:
        await asyncio.wait_for(refused.wait(), PATIENCE)
        yield
    finally:
        over.set()
        await asyncio.gather(*others)


async def test_a_logout_that_was_refused_has_changed_nothing_and_is_good_the_next_time(
    three: House,
) -> None:
    """Nodes that can tell who is logged in may be unable to write."""
    async with crowd(three) as people:
        (one,) = await known_everywhere(people, 1)
        db = await asyncpg.connect(three.cluster.url(three.database))
        async with db.transaction():
            await db.execute("SELECT 1 FROM feed_head FOR UPDATE")
            assert await people.log_out(three.nodes[1], one) is Answer.LOST
            assert await people.told(one) == [True, True, True]
        await db.close()
        await people.out_at_last(three.nodes[1], one)
        assert await people.told(one) == [False, False, False]


async def test_a_standby_takes_over_amid_logouts(tmp_path: Path) -> None:
    with (
        cluster() as first,
        database(first) as name,
        standby(first) as second,
        house(tmp_path, first, name) as nodes,
    ):
        async with crowd(nodes) as people:
            mine = await known_everywhere(people, 40)
            spared = await known_everywhere(people, 3, person(1))
            async with people.checking(per_node=2):
                ending = asyncio.create_task(end_each(people, mine, [0, 1, 2], 0.01))
                await asyncio.sleep(0.15)
                await asyncio.to_thread(first.kill)
                await asyncio.to_thread(promote, second)
                for node in nodes.nodes:
                    node.proxy.switch(second.port)
                await ending
                await until_sure(people, spared)
                await out_each(people, mine, [1])
            for one in mine:
                assert await people.told(one) == [False, False, False]


@pytest.mark.parametrize("gone", ["dies", "says nothing"])
async def test_nodes_that_know_both_hosts_go_to_the_one_that_takes_over(
    tmp_path: Path, gone: str
) -> None:
    """No proxy leads them there: the address has both."""
    with cluster() as first, database(first) as name, standby(first) as second:
        both = first.url_at(first.port, name, second.port)
        with house(tmp_path, first, name, url=both) as nodes:
            async with crowd(nodes) as people:
                mine = await known_everywhere(people, 30)
                spared = await known_everywhere(people, 3, person(1))
                async with people.checking(per_node=2):
                    ending = asyncio.create_task(end_each(people, mine, [0, 1, 2], 0.01))
                    await asyncio.sleep(0.15)
                    await asyncio.to_thread(first.kill if gone == "dies" else first.pause)
                    await asyncio.to_thread(promote, second)
                    await ending
                    await until_sure(people, spared)
                    await out_each(people, mine, [1])
                for one in mine:
                    assert await people.told(one) == [False, False, False]
                begun = await people.log_in(nodes.nodes[2], person(2))
                assert await people.told(begun) == [True, True, True]
            first.kill()


@pytest.mark.parametrize("mode", ["strict", "leased"])
async def test_a_wait_for_the_standby_that_is_cancelled_is_no_success(
    tmp_path: Path, mode: str
) -> None:
    """PostgreSQL then says COMMIT, with a warning: what it says is not so on the standby."""
    with (
        cluster() as first,
        database(first) as name,
        standby(first) as second,
        house(tmp_path, first, name, store=f'mode = "{mode}"') as nodes,
    ):
        async with crowd(nodes, slack=0.0 if mode == "strict" else LEASE) as people:
            mine = await known_everywhere(people, 4)
            second.pause()
            ending = [
                asyncio.create_task(people.log_out(node, one))
                for node, one in zip(nodes.nodes, mine, strict=False)
            ]
            for _ in range(6):
                await asyncio.sleep(0.25)
                await asyncio.to_thread(cancel_waits, first)
            assert not any(task.done() and task.result() is Answer.DONE for task in ending)
            await asyncio.to_thread(first.kill)
            second.resume()
            await asyncio.to_thread(promote, second)
            for node in nodes.nodes:
                node.proxy.switch(second.port)
                node.proxy.reset()
            answers = await asyncio.gather(*ending)
            if Answer.DONE in answers:
                ended, began = mine[answers.index(Answer.DONE)], time.monotonic()
                while None in (told := await people.everywhere(ended)):
                    assert time.monotonic() - began < PATIENCE, "it has not come back"
                    await asyncio.sleep(0.05)
                assert told == [False] * 3
            await until_sure(people, mine[3:])
            await out_each(people, mine[:3], [0])


def cancel_waits(server: Cluster) -> None:
    server.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


async def test_yesterdays_database_is_refused(postgres: Cluster, tmp_path: Path) -> None:
    with database(postgres) as name, house(tmp_path, postgres, name) as nodes:
        async with crowd(nodes) as people:
            mine = await known_everywhere(people, 3)
            for node in nodes.nodes:
                node.end()
            postgres.sql(f"CREATE DATABASE {name}_kept TEMPLATE {name} OWNER {OWNER}")
            nodes.mend()
            await out_each(people, mine, [0])
            for node in nodes.nodes:
                node.end()
            postgres.sql(f"DROP DATABASE {name}")
            postgres.sql(f"ALTER DATABASE {name}_kept RENAME TO {name}")
            for node in nodes.nodes:
                node.start()
                assert await asyncio.to_thread(node.server.process.wait, 60) != 0
                assert "older" in node.server.logged() + node.server.printed()


async def test_the_database_becomes_yesterdays_under_nodes_that_run(
    postgres: Cluster, tmp_path: Path
) -> None:
    """Whoever saw the later one refuses the earlier one, and does not forget what has ended."""
    with database(postgres) as name, house(tmp_path, postgres, name) as nodes:
        async with crowd(nodes) as people:
            mine = await known_everywhere(people, 3)
            for node in nodes.nodes:
                node.end()
            postgres.sql(f"CREATE DATABASE {name}_kept TEMPLATE {name} OWNER {OWNER}")
            nodes.mend()
            for one in mine:
                assert await people.told(one) == [True, True, True]
                await people.out_at_last(nodes.nodes[0], one)
            async with people.checking(per_node=2):
                postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
                postgres.sql(f"ALTER DATABASE {name}_kept RENAME TO {name}")
                end = time.monotonic() + LEASE + 1
                while time.monotonic() < end:
                    for one in mine:
                        assert True not in await people.everywhere(one)
                    await asyncio.sleep(0.05)


async def test_a_node_comes_back_with_its_own_files_of_yesterday(three: House) -> None:
    """What it wrote beside its configuration is behind the database, which is no harm."""
    async with crowd(three) as people:
        mine = await known_everywhere(people, 3)
        node = three.nodes[1]
        node.end()
        folder = node.config.parent
        kept = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        await asyncio.to_thread(node.begin)
        await out_each(people, mine, [0])
        node.end()
        for path, content in kept.items():
            path.write_bytes(content)
        await asyncio.to_thread(node.begin)
        for one in mine:
            assert await people.told(one) == [False, False, False]
