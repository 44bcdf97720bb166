"""Leased mode: answered as soon as it is durable, refused everywhere within the lease."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes.crowd import crowd
from tests.nodes.house import House, house
from tests.nodes.proxy import Fault
from tests.nodes.test_network import known_everywhere
from tests.nodes.test_processes import out_each
from tests.postgres.cluster import Cluster, database

pytestmark = pytest.mark.fault

LEASE = 2.0
LONG = 60.0
SOON = 30.0
"""Seconds; whoever waits for a long lease to run out is found out on the slowest of machines."""


def leased_to(lease: float) -> str:
    return f'mode = "leased"\nlease = "{int(lease * 1000)}ms"'


@pytest.fixture(scope="module")
def leased_house(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("leased")
    with (
        database(postgres) as name,
        house(folder, postgres, name, store=leased_to(LEASE)) as made,
    ):
        yield made


@pytest.fixture
def leased(leased_house: House) -> Iterator[House]:
    leased_house.mend()
    yield leased_house
    leased_house.mend()


@pytest.fixture
def long_leased(postgres: Cluster, tmp_path: Path) -> Iterator[House]:
    with (
        database(postgres) as name,
        house(tmp_path, postgres, name, store=leased_to(LONG)) as made,
    ):
        yield made
        made.mend()


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.DROP, Fault.DEAF])
async def test_who_is_cut_off_accepts_for_no_longer_than_the_lease(
    leased: House, fault: Fault
) -> None:
    async with crowd(leased, slack=LEASE) as people:
        mine = await known_everywhere(people, 12)
        async with people.checking(per_node=3):
            leased.nodes[2].proxy.set(fault)
            for number, one in enumerate(mine):
                await people.out_at_last(leased.nodes[number % 2], one, aftermath=False)
            await asyncio.sleep(LEASE)
            for one in mine:
                assert True not in await people.everywhere(one)


async def test_who_is_stopped_accepts_nothing_once_the_lease_is_over(leased: House) -> None:
    async with crowd(leased, slack=LEASE) as people:
        mine = await known_everywhere(people, 6)
        leased.nodes[2].freeze()
        await asyncio.gather(
            *(
                people.out_at_last(leased.nodes[n % 2], one, aftermath=False)
                for n, one in enumerate(mine)
            )
        )
        await asyncio.sleep(LEASE)
        late = [asyncio.create_task(people.check(leased.nodes[2], one)) for one in mine]
        await asyncio.sleep(0.2)
        leased.nodes[2].thaw()
        assert True not in await asyncio.gather(*late)


async def test_nobody_is_waited_for(long_leased: House) -> None:
    async with crowd(long_leased, slack=LONG) as people:
        mine = await known_everywhere(people, 4)
        long_leased.nodes[2].proxy.set(Fault.DROP)
        began = time.monotonic()
        for number, one in enumerate(mine):
            await people.out_at_last(long_leased.nodes[number % 2], one, aftermath=False)
        assert time.monotonic() - began < SOON


async def test_all_is_well_and_everybody_knows_soon(long_leased: House) -> None:
    """The lease is a bound and not what it takes."""
    async with crowd(long_leased, slack=LONG) as people:
        mine = await known_everywhere(people, 30)
        async with people.checking(per_node=2):
            await out_each(people, mine, [0, 1, 2])
            answered = time.monotonic()
            for one in mine:
                while await people.told(one) != [False, False, False]:
                    assert time.monotonic() < answered + SOON, "it goes by the lease"
                    await asyncio.sleep(0.02)
