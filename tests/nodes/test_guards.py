"""Guards before several nodes: each follows one of them, and hears of what is done at another."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from lastcall.client import CannotKnow, Identity, Verdict
from tests.checker import Answer, Call, broken
from tests.client.running import PATIENCE, App, Proxy, app, proxy
from tests.client.watching import LEASE, Watched, until, watched
from tests.e2e.server import lastcall
from tests.nodes.crowd import Crowd, One, crowd
from tests.nodes.house import SERVICE, SERVICE_SECRET, House, Node, house, person
from tests.nodes.proxy import Fault
from tests.postgres.cluster import Cluster, database

pytestmark = pytest.mark.fault

APP_LEASE = 2.0
"""Seconds; what middleware is set to unless it is told otherwise."""


@pytest.fixture
def way(three: House) -> Iterator[Proxy]:
    """An address that leads to the second node until it is led elsewhere, as a balancer's is."""
    with proxy(three.nodes[1].url) as made:
        yield made


def lead(way: Proxy, node: Node) -> None:
    way.target = int(node.url.rsplit(":", 1)[1])
    way.reset()


def watching(way: Proxy, one: One, lease: float = LEASE) -> AbstractAsyncContextManager[Watched]:
    return watched(way.url, one.token, lease, SERVICE, SERVICE_SECRET)


async def log_out(people: Crowd, node: Node, one: One, seen: Watched) -> None:
    asked = time.monotonic()
    await people.out_at_last(node, one, aftermath=False)
    seen.history.append(Call(asked, time.monotonic(), Answer.DONE))


async def test_a_logout_at_any_node_is_heard_from_another(three: House, way: Proxy) -> None:
    async with crowd(three) as people:
        for number, node in enumerate(three.nodes):
            mine, spared = [
                await people.log_in(three.nodes[number - 1], person(1)) for _ in range(2)
            ]
            async with watching(way, mine, 5 * PATIENCE) as seen:
                assert await seen.answered(spared.token) is not None
                await log_out(people, node, mine, seen)
                await seen.ended()
                assert isinstance(seen.guard.check_now(spared.token), Identity)
            assert broken(seen.history, PATIENCE) == []


FAILING: Mapping[str, Callable[[Node], None]] = {
    "dies": Node.kill,
    "stops": Node.freeze,
    "is cut off": lambda node: node.proxy.set(Fault.DROP),
}


@pytest.mark.parametrize("how", FAILING)
async def test_a_guard_whose_node_fails_knows_nothing_until_another_tells_it_the_rest(
    three: House, way: Proxy, how: str
) -> None:
    async with crowd(three) as people:
        mine, kept = [await people.log_in(node, person(2)) for node in three.nodes[:2]]
        async with watching(way, mine) as seen:
            guard = seen.guard
            assert await seen.answered(kept.token) is not None
            before = guard.standing.position
            assert before is not None
            await asyncio.to_thread(FAILING[how], three.nodes[1])
            await log_out(people, three.nodes[0], mine, seen)
            await until(lambda: not guard.standing.following)
            assert guard.check_now(kept.token) is Verdict.UNKNOWN
            with pytest.raises(CannotKnow):
                await guard.check(kept.token)

            lead(way, three.nodes[2])
            await until(lambda: guard.standing.following)
            # without asking: it went on where it was, and forgot one alone
            await until(lambda: isinstance(guard.check_now(kept.token), Identity))
            after = guard.standing.position
            assert after is not None
            assert (after.epoch, after.seq > before.seq) == (before.epoch, True)
            await seen.ended()
        assert broken(seen.history, LEASE) == []


@asynccontextmanager
async def guarded(kind: str, way: Proxy) -> AsyncIterator[App]:
    settings = {"LASTCALL_SERVICE": SERVICE, "LASTCALL_SECRET": SERVICE_SECRET}
    made = app(kind, way.url, **settings)
    one = await asyncio.to_thread(made.__enter__)
    try:
        yield one
    finally:
        await asyncio.to_thread(made.__exit__, None, None, None)


@pytest.mark.parametrize("kind", ["starlette", "flask"])
async def test_an_application_before_several_nodes(three: House, way: Proxy, kind: str) -> None:
    async with crowd(three) as people, guarded(kind, way) as wiki:

        async def says(one: One, status: int) -> None:
            async with asyncio.timeout(120):
                while await asyncio.to_thread(wiki.me, one.token) != status:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        mine, kept = [await people.log_in(node, person(3)) for node in three.nodes[:2]]
        for one in (mine, kept):
            await says(one, 200)
        await people.out_at_last(three.nodes[0], mine, aftermath=False)
        await says(mine, 401)
        os.kill(three.nodes[1].server.process.pid, signal.SIGKILL)
        killed = time.monotonic()
        asked = killed
        while (status := await asyncio.to_thread(wiki.me, kept.token)) == 200:
            assert asked < killed + APP_LEASE, "nobody could have told it that"
            asked = time.monotonic()
        assert status == 503
        lead(way, three.nodes[2])
        await says(kept, 200)
        while (status := await asyncio.to_thread(wiki.me, mine.token)) == 503:
            assert time.monotonic() < killed + PATIENCE, "it never knew again"
        assert status == 401


async def test_a_database_of_another_epoch_is_followed_from_its_beginning(
    postgres: Cluster, tmp_path: Path
) -> None:
    with (
        database(postgres) as name,
        house(tmp_path, postgres, name, count=2) as nodes,
        proxy(nodes.nodes[1].url) as way,
    ):
        people = Crowd(nodes)
        one, other = [await people.log_in(nodes.nodes[0], person(4)) for _ in range(2)]
        async with watching(way, one) as seen:
            assert await seen.answered(other.token) is not None
            before = seen.guard.standing.position
            assert before is not None
            for node in nodes.nodes:
                await asyncio.to_thread(node.end)
            config = str(nodes.nodes[0].config)
            asked = time.monotonic()
            done = await asyncio.to_thread(lastcall, "accept-restored", "--config", config, "--yes")
            assert done.returncode == 0, done.stderr
            seen.history.append(Call(asked, time.monotonic(), Answer.DONE))
            await asyncio.to_thread(nodes.begin)
            lead(way, nodes.nodes[0])
            await seen.ended()
            await until(lambda: seen.guard.standing.following)
            after = seen.guard.standing.position
            assert after is not None
            assert after.epoch != before.epoch
            assert seen.guard.check_now(other.token) is Verdict.UNKNOWN, "all was forgotten"
            assert await seen.answered(other.token) is None
            newly = await people.log_in(nodes.nodes[1], person(4))
            assert await seen.answered(newly.token) is not None
        people.close()
        assert broken(seen.history, LEASE) == []
