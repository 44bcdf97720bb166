"""The way between one node and the store fails: what it cannot know, it does not say."""

import asyncio
import time

import pytest

from tests.nodes.asking import PATIENCE
from tests.nodes.crowd import Crowd, One, crowd
from tests.nodes.house import LEASE, House, person
from tests.nodes.proxy import Fault
from tests.nodes.test_processes import MARGIN, end_each, out_each

pytestmark = pytest.mark.fault


async def known_everywhere(people: Crowd, count: int, name: str = "person0") -> list[One]:
    """Sessions that every node has in its memory."""
    some = await people.log_in_all(count, name)
    for one in some:
        assert await people.told(one) == [True, True, True]
    return some


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.DROP, Fault.CUT, Fault.HOLD_ANSWERS])
async def test_a_node_is_cut_off_and_comes_back(three: House, fault: Fault) -> None:
    async with crowd(three) as people:
        mine = await known_everywhere(people, 24)
        spared = await known_everywhere(people, 3, person(1))
        island = three.nodes[2]
        async with people.checking(per_node=2):
            island.proxy.set(fault)
            began = time.monotonic()
            await people.out_at_last(three.nodes[0], mine[0], aftermath=False)
            assert time.monotonic() - began < LEASE + MARGIN
            await people.everywhere(mine[0])
            await out_each(people, mine[1:12], [0, 1])
            assert await people.check(island, spared[0]) is None, "its lease is over"
            island.proxy.heal()
            await out_each(people, mine[12:], [0, 1])
            await until_sure(people, spared)
        for one in mine:
            assert await people.told(one) == [False, False, False]


async def until_sure(people: Crowd, some: list[One]) -> None:
    """Every node answers again; it may take one a moment to find the store."""
    end = time.monotonic() + PATIENCE
    while await people.everywhere(some[0]) != [True, True, True]:
        assert time.monotonic() < end, "it has not come back"
        await asyncio.sleep(0.05)
    for one in some:
        assert await people.told(one) == [True, True, True]


async def test_a_logout_at_a_node_that_is_cut_off_is_no_success(three: House) -> None:
    async with crowd(three) as people:
        mine = await known_everywhere(people, 6)
        spared = await known_everywhere(people, 3, person(1))
        island = three.nodes[0]
        async with people.checking(per_node=2):
            for number, fault in enumerate((Fault.CUT, Fault.DROP, Fault.HOLD_ANSWERS)):
                island.proxy.set(fault)
                one, other = mine[2 * number], mine[2 * number + 1]
                pending = asyncio.create_task(people.log_out(island, one))
                await people.out_at_last(three.nodes[1], other)
                await asyncio.sleep(0.3)
                island.proxy.heal()
                await pending
                await until_sure(people, spared)
                await people.out_at_last(three.nodes[2], one)


async def test_nobody_hears_a_notification(three: House) -> None:
    async with crowd(three) as people:
        mine = await known_everywhere(people, 12)
        for node in three.nodes:
            node.proxy.set(Fault.DEAF)
        async with people.checking():
            for number, one in enumerate(mine):
                began = time.monotonic()
                await people.out_at_last(three.nodes[number % 3], one)
                assert time.monotonic() - began < LEASE + MARGIN


async def test_connections_break_again_and_again(three: House) -> None:
    async with crowd(three) as people:
        mine = await known_everywhere(people, 40)
        spared = await known_everywhere(people, 3, person(1))
        async with people.checking(per_node=2):
            ending = asyncio.create_task(end_each(people, mine, [0, 1, 2], 0.02))
            for number in range(12):
                await asyncio.sleep(0.1)
                three.nodes[number % 3].proxy.reset()
            await ending
            await until_sure(people, spared)
        await out_each(people, mine, [0])


async def test_a_slow_way_to_the_store_slows_and_breaks_nothing(three: House) -> None:
    async with crowd(three) as people:
        mine = await known_everywhere(people, 9)
        for number, node in enumerate(three.nodes):
            node.proxy.delay = 0.03 * number
        async with people.checking(per_node=2):
            for number, one in enumerate(mine):
                await people.out_at_last(three.nodes[number % 3], one)
