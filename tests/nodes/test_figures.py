"""What three nodes show of themselves and of each other, well and with one cut off."""

import asyncio
import time

import pytest
import requests

from tests.nodes.crowd import crowd
from tests.nodes.house import House, Node, person
from tests.nodes.proxy import Fault

pytestmark = pytest.mark.e2e

PATIENCE = 120.0


def figures(node: Node) -> dict[str, float]:
    page = requests.get(f"{node.url}/metrics", timeout=30).text
    lines = [line for line in page.splitlines() if line.startswith("lastcall_")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def until(node: Node, name: str, low: float, high: float) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = (await asyncio.to_thread(figures, node)).get(name)
        if found is not None and low <= found <= high:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} is {found} at {node.name}")


async def test_every_node_shows_its_lease_and_how_far_it_is_from_the_others(three: House) -> None:
    writer, *others = three.nodes
    async with crowd(three) as people:
        for number in range(3):
            one = await people.log_in(writer, person(number))
            await people.out_at_last(writer, one)
    for node in three.nodes:
        await until(node, 'lastcall_store_info{backend="postgresql",mode="strict"}', 1, 1)
        await until(node, "lastcall_nodes", 3, 3)
        await until(node, "lastcall_lease_seconds", 0.1, 60)
        await until(node, "lastcall_feed_behind", 0, 0)
    for node in others:
        await until(node, "lastcall_feed_lag_seconds_count", 3, 1e9)
    found = await asyncio.to_thread(figures, writer)
    for name in ("nodes_applied", "turn_wait", "commit", "commit_sync"):
        assert found[f"lastcall_{name}_seconds_count"] > 0, name
    assert found["lastcall_nodes_applied_seconds_sum"] > 0


async def test_a_node_that_is_cut_off_shows_that_its_lease_has_run_out(three: House) -> None:
    alone = three.nodes[2]
    alone.proxy.set(Fault.CUT)
    await until(alone, "lastcall_lease_seconds", 0, 0)
    await until(alone, "lastcall_store_answers", 0, 0)
    await until(three.nodes[0], "lastcall_nodes", 2, 2)
    alone.proxy.heal()
    await until(alone, "lastcall_lease_seconds", 0.1, 60)
    await until(alone, "lastcall_ready", 1, 1)
