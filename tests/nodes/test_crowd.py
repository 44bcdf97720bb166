"""The harness itself: servers that tell each other nothing must not get past it."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.checker import NEVER, Answer, Broken, Call
from tests.contract.gates import until
from tests.nodes.asking import Line
from tests.nodes.crowd import Crowd, One, crowd
from tests.nodes.house import House, Node, house
from tests.nodes.proxy import network
from tests.postgres.cluster import Cluster

pytestmark = pytest.mark.e2e


async def test_a_test_that_fails_is_told_whether_a_logout_was_refused_or_lost() -> None:
    refused = One("refused", said=["node1: 503"], history=[Call(1, NEVER, Answer.LOST)])
    lost = One("lost", history=[Call(1, 2, Answer.DONE), Call(3, 4, Answer.LIVE)])
    with network() as wires, pytest.raises(AssertionError) as failed:
        async with crowd(House([], Cluster(Path(), 1), "", wires), sessions=[refused, lost]):
            raise AssertionError("something else")
    verdict, doubts = failed.value.__notes__
    assert "1 answers that cannot be" in verdict
    assert Broken.ACCEPTED_AFTER_LOGOUT.value in verdict
    assert "('refused', ['node1: 503'])" in doubts
    assert "'lost'" not in doubts


async def test_a_line_that_was_hung_up_on_is_made_again() -> None:
    """As a node does with one that is idle for long; what was asked on it would be lost."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        line = Line(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for _ in range(3):
            assert (await line.ask("GET", "/v1/check")).status == 204
            await until(line.hung_up)
        line.close()


class Alone(Cluster):
    """No PostgreSQL at all: each server has a file of its own."""

    @staticmethod
    def url_at(port: int, database: str, *more: int, **options: str) -> str:
        return f"sqlite:{database}"


async def test_nodes_that_tell_each_other_nothing_are_noticed(tmp_path: Path) -> None:
    nowhere = Alone(folder=tmp_path, port=1)
    with house(tmp_path / "one", nowhere, "store.db", count=1) as first:
        people = Crowd(first)
        one = await people.log_in(first.nodes[0], "admin")
        people.close()
        first.nodes[0].end()
        shutil.copytree(tmp_path / "one" / "node0", tmp_path / "two")
        with network() as wires:
            twin = Node("twin", tmp_path / "two" / "lastcall.toml", wires.proxy(1), {})
            both = House([first.nodes[0], twin], nowhere, "", wires)
            try:
                both.begin()
                people = Crowd(both, sessions=[one])
                assert await people.everywhere(one) == [True, True]
                assert await people.log_out(both.nodes[0], one) is Answer.DONE
                people.close()
                assert [what for _, what, _ in people.broken()] == [
                    Broken.ACCEPTED_AFTER_LOGOUT,
                ]
            finally:
                twin.end()
