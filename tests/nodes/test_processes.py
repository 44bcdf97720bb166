"""Nodes that die, stop and go on, or are told a wrong time, while people log in and out."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checker import Answer
from tests.nodes.crowd import Crowd, One, crowd
from tests.nodes.house import LEASE, House, house, person
from tests.postgres.cluster import Cluster, database

pytestmark = pytest.mark.fault

MARGIN = 25.0
"""Seconds on top of a lease within which a logout is answered on a machine that is busy."""


async def end_each(people: Crowd, some: list[One], nodes: list[int], pause: float = 0.0) -> None:
    """One try for each, whatever comes of it."""
    for number, one in enumerate(some):
        node = people.house.nodes[nodes[number % len(nodes)]]
        await people.log_out(node, one)
        await asyncio.sleep(pause)


async def out_each(people: Crowd, some: list[One], nodes: list[int]) -> None:
    """As `end_each`, but each of them until it is done."""
    for number, one in enumerate(some):
        await people.out_at_last(people.house.nodes[nodes[number % len(nodes)]], one)


@pytest.mark.parametrize("victim", [0, 2])
async def test_a_node_is_killed_amid_logouts(three: House, victim: int) -> None:
    async with crowd(three) as people:
        mine = await people.log_in_all(60)
        spared = await people.log_in_all(6, person(1))
        async with people.checking():
            burst = [
                asyncio.create_task(people.log_out(three.nodes[number % 3], one))
                for number, one in enumerate(mine[:45])
            ]
            await asyncio.sleep(0.03)
            await asyncio.to_thread(three.nodes[victim].kill)
            await asyncio.gather(*burst)
            await asyncio.to_thread(three.nodes[victim].begin)
            for one in mine:
                await people.everywhere(one)
            await out_each(people, mine, [victim, 1])
        for one in mine:
            assert await people.told(one) == [False, False, False]
        for one in spared:
            assert await people.told(one) == [True, True, True]


async def test_a_node_that_was_stopped_accepts_nothing_that_ended_meanwhile(
    three: House,
) -> None:
    async with crowd(three) as people:
        mine = await people.log_in_all(30)
        frozen = three.nodes[2]
        for one in mine:
            assert await people.told(one) == [True, True, True]
        async with people.checking(per_node=2):
            frozen.freeze()
            began = time.monotonic()
            waiting = [
                asyncio.create_task(people.out_at_last(three.nodes[n % 2], one, aftermath=False))
                for n, one in enumerate(mine)
            ]
            await asyncio.gather(*waiting)
            took = time.monotonic() - began
            late = [asyncio.create_task(people.check(frozen, one)) for one in mine]
            await asyncio.sleep(0.2)
            frozen.thaw()
            assert True not in await asyncio.gather(*late)
        assert took < LEASE + MARGIN
        for one in mine:
            assert await people.told(one) == [False, False, False]


async def test_a_stop_shorter_than_the_lease_lets_nothing_through(three: House) -> None:
    async with crowd(three) as people:
        mine = await people.log_in_all(24)
        async with people.checking():
            for number in range(8):
                node = three.nodes[number % 3]
                node.freeze()
                others = [n for n in range(3) if n != number % 3]
                batch = mine[number * 3 : number * 3 + 3]
                ending = asyncio.create_task(out_each(people, batch, others))
                await asyncio.sleep(0.05 * (number + 1))
                node.thaw()
                await ending


async def test_a_node_that_stops_amid_its_writing_holds_nobody_up_for_long(
    three: House,
) -> None:
    async with crowd(three) as people:
        mine = await people.log_in_all(120)
        async with people.checking(per_node=2):
            victim = three.nodes[1]
            burst = [
                asyncio.create_task(people.log_out(victim, one, aftermath=False))
                for one in mine[:90]
            ]
            await asyncio.sleep(0.02)
            victim.freeze()
            began = time.monotonic()
            await asyncio.gather(
                *(people.log_out(three.nodes[0], one, aftermath=False) for one in mine[90:])
            )
            assert time.monotonic() - began < 3 * LEASE + MARGIN
            victim.thaw()
            await asyncio.gather(*burst)
        for one in mine:
            await people.everywhere(one)
            await people.out_at_last(three.nodes[2], one)


async def test_a_mass_logout_goes_on_when_its_node_dies(three: House) -> None:
    """More than one transaction ends: the rest is anybody's, and is counted once."""
    async with crowd(three) as people:
        mine = await people.log_in_all(540, person(10))
        admin = await people.log_in(three.nodes[0], "admin")
        reply = await people.insist(three.nodes[0], "GET", "/v1/me", mine[0].token)
        scope = {"kind": "subject", "subject": reply.json()["subject"]}
        asked = time.monotonic()
        ended = await people.insist(
            three.nodes[1], "POST", "/v1/logout", admin.token, body={"scope": scope}
        )
        await asyncio.to_thread(three.nodes[1].kill)
        receipt = ended.json()["id"]
        for one in mine:
            one.heard(asked, Answer.DONE)
            assert await people.told(one, three.nodes[2]) == [False]
        shown = await people.receipt(three.nodes[0], receipt, admin)
        assert (shown["complete"], shown["sessions_ended"]) == (True, len(mine))


def faked_time(file: Path) -> dict[str, str]:
    """The environment of a process whose time of day is moved by what the file says."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "scripts/debian-packages faketime"
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@pytest.fixture
def out_of_step(postgres: Cluster, tmp_path: Path) -> Iterator[tuple[House, Path]]:
    """Three nodes, the second of which believes from the start that it is an hour later."""
    file = tmp_path / "time"
    file.write_text("+3600")
    with (
        database(postgres) as name,
        house(tmp_path, postgres, name, environ={1: faked_time(file)}) as made,
    ):
        yield made, file


async def test_the_time_of_day_of_one_node_is_wrong_and_jumps(
    out_of_step: tuple[House, Path],
) -> None:
    nodes, file = out_of_step
    assert os.environ.get("LD_PRELOAD", "") == ""
    async with crowd(nodes) as people:
        spared = await people.log_in_all(6, person(1))
        async with people.checking(per_node=2):
            for shift in ("+3600", "-3600", "+31536000", "-31536000", "+0"):
                file.write_text(shift)
                mine = await people.log_in_all(6)
                for one in mine:
                    assert await people.told(one) == [True, True, True]
                await out_each(people, mine, [0, 1, 2])
        for one in spared:
            assert await people.told(one) == [True, True, True]
        expires = [
            [(await people.insist(node, "GET", "/v1/session", one.token)).json()["expires"]]
            for one in spared
            for node in nodes.nodes
        ]
        assert len({tuple(told) for told in expires}) <= len(spared)
