"""Three nodes on one database: what one of them is told, all of them know."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.nodes.asking import PATIENCE
from tests.nodes.crowd import Crowd, crowd
from tests.nodes.house import House, Node, person
from tests.nodes.ways import EVERY_WAY

pytestmark = pytest.mark.e2e


async def test_a_login_counts_everywhere_and_so_does_its_end(three: House) -> None:
    async with crowd(three) as people:
        for number, node in enumerate(three.nodes):
            one = await people.log_in(node, person(number))
            assert await people.told(one) == [True, True, True]
            elsewhere = three.nodes[number - 1]
            await people.out_at_last(elsewhere, one)
            assert await people.told(one) == [False, False, False]


async def test_every_way_to_ask_says_the_same(three: House) -> None:
    async with crowd(three) as people:
        one, other = [await people.log_in(three.nodes[0], person(1)) for _ in range(2)]
        for node in three.nodes:
            told = [await people.told(one, node, way=way) for way in EVERY_WAY]
            assert told == [[True]] * len(EVERY_WAY)
        await people.out_at_last(three.nodes[1], one)
        for node in three.nodes:
            told = [await people.told(one, node, way=way) for way in EVERY_WAY]
            assert told == [[False]] * len(EVERY_WAY)
        assert await people.told(other) == [True, True, True]


async def test_nobody_elses_session_ends(three: House) -> None:
    async with crowd(three) as people:
        mine = await people.log_in_all(6, person(2))
        theirs = await people.log_in_all(3, person(3))
        scope = {"kind": "others"}
        await people.end_at_last(three.nodes[2], mine[0], mine[1:], scope=scope)
        for one in (mine[0], *theirs):
            assert await people.told(one) == [True, True, True]
        for one in mine[1:]:
            assert await people.told(one) == [False, False, False]


async def test_the_operator_may_stand_at_any_node(three: House) -> None:
    async with crowd(three) as people:
        for number in (0, 2):
            mine = await people.log_in_all(3, person(4))
            spare = await people.log_in(three.nodes[0], person(5))
            listed = await asyncio.to_thread(
                three.operate, "sessions", "list", "--user", person(4), node=number
            )
            assert {row["id"] for row in json.loads(listed)["sessions"]} == {s.id for s in mine}
            words = [("logout", "--user", person(4)), ("users", "disable", person(4))]
            for word in words[:: 1 if number else -1]:
                await asyncio.to_thread(three.operate, *word, node=number)
                for one in mine:
                    assert await people.told(one) == [False, False, False]
            await asyncio.to_thread(three.operate, "users", "enable", person(4), node=number)
            assert await people.told(spare) == [True, True, True]
            people.sessions = [one for one in people.sessions if one not in mine]


async def test_an_account_made_or_changed_at_one_node_is_so_at_all(three: House) -> None:
    async with crowd(three) as people:
        line = json.dumps({"username": "newcomer", "password": "Correct_horse_1"})
        await asyncio.to_thread(three.operate, "users", "import", "-", node=1, stdin=line)
        ones = [await people.log_in(node, "newcomer") for node in three.nodes]
        for one in ones:
            assert await people.told(one) == [True, True, True]
        given = ("users", "set-password", "newcomer")
        await asyncio.to_thread(three.operate, *given, node=2, stdin="Another_horse_2\n")
        people.sessions = []
        for one in ones:
            assert await people.told(one) == [False, False, False]
        old = {"username": "newcomer", "password": "Correct_horse_1"}
        for node in three.nodes:
            assert (await people.insist(node, "POST", "/v1/login", body=old)).status == 401
            await people.log_in(node, "newcomer", password="Another_horse_2")


async def test_every_node_tells_its_mode_and_the_receipt_when_each_knew(three: House) -> None:
    async with crowd(three) as people:
        for node in three.nodes:
            ready = await shown(people, node, "/readyz", "", lambda told: told.get("nodes") == 3)
            assert ready["mode"] == "strict"
        admin = await people.log_in(three.nodes[0], "admin")
        one = await people.log_in(three.nodes[0], person(6))
        reply = await people.insist(three.nodes[1], "POST", "/v1/logout", one.token, body={})
        path = f"/v1/receipts/{reply.json()['id']}"

        def applied(receipt: Any) -> bool:
            rows = receipt["nodes"]
            return len({row["node"] for row in rows}) == 3 and all(
                row["applied_at"] for row in rows
            )

        for node in three.nodes:
            await shown(people, node, path, admin.token, applied)


async def shown(
    people: Crowd, node: Node, path: str, token: str, holds: Callable[[Any], bool]
) -> Any:
    """What the node shows, once that is so: a node hears of the others soon, not at once."""
    end = time.monotonic() + PATIENCE
    while not holds(told := (await people.insist(node, "GET", path, token)).json()):
        assert time.monotonic() < end, told
        await asyncio.sleep(0.05)
    return told
