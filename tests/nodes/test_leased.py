"""Leased mode: answered as soon as it is durable, refused everywhere within the lease."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.checker import Answer
from tests.nodes.crowd import crowd
from tests.nodes.house import House, house
from tests.nodes.proxy import Fault
from tests.nodes.test_network import known_everywhere
from tests.nodes.test_processes import end_each
from tests.postgres.cluster import Cluster, database

pytestmark = pytest.mark.fault

LEASE = 2.0


@pytest.fixture(scope="module")
def leased_house(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        database(postgres) as name,
        house(
            tmp_path_factory.mktemp("leased"),
            postgres,
            name,
            store=f'mode = "leased"\nlease = "{int(LEASE * 1000)}ms"',
        ) as made,
    ):
        yield made


@pytest.fixture
def leased(leased_house: House) -> Iterator[House]:
    leased_house.mend()
    yield leased_house
    leased_house.mend()


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.DROP, Fault.DEAF])
async def test_who_is_cut_off_accepts_for_no_longer_than_the_lease(
    leased: House, fault: Fault
) -> None:
    async with crowd(leased, slack=LEASE) as people:
        mine = await known_everywhere(people, 12)
        async with people.checking(per_node=3):
            leased.nodes[2].proxy.set(fault)
            took = []
            for number, one in enumerate(mine):
                began = time.monotonic()
                node = leased.nodes[number % 2]
                assert await people.log_out(node, one, aftermath=False) is Answer.DONE
                took.append(time.monotonic() - began)
            assert sorted(took)[len(took) // 2] < LEASE / 2, "nobody is waited for"
            await asyncio.sleep(LEASE)
            for one in mine:
                assert True not in await people.everywhere(one)


async def test_who_is_stopped_accepts_nothing_once_the_lease_is_over(leased: House) -> None:
    async with crowd(leased, slack=LEASE) as people:
        mine = await known_everywhere(people, 6)
        leased.nodes[2].freeze()
        await asyncio.gather(
            *(
                people.log_out(leased.nodes[n % 2], one, aftermath=False)
                for n, one in enumerate(mine)
            )
        )
        await asyncio.sleep(LEASE)
        late = [asyncio.create_task(people.check(leased.nodes[2], one)) for one in mine]
        await asyncio.sleep(0.2)
        leased.nodes[2].thaw()
        assert True not in await asyncio.gather(*late)


async def test_all_is_well_and_everybody_knows_at_once(leased: House) -> None:
    """The lease is a bound and not what it takes."""
    async with crowd(leased, slack=LEASE) as people:
        mine = await known_everywhere(people, 30)
        async with people.checking(per_node=2):
            await end_each(people, mine, [0, 1, 2])
            late = []
            for one in mine:
                answered = max(call.heard for call in one.history if call.answer is Answer.DONE)
                accepted = [call.asked for call in one.history if call.answer is Answer.LIVE]
                late.append(max(accepted) - answered)
        assert sorted(late)[len(late) // 2] < LEASE / 2
