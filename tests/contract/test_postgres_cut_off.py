"""A node that cannot reach its database says so at once, and answers again as soon as it can."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SessionId
from lastcall.ports import Found
from lastcall.stores.postgres import Server
from lastcall.stores.postgres.connecting import connect_soon
from lastcall.stores.postgres.loading import load
from tests.contract.changes import do
from tests.contract.gates import until
from tests.contract.postgres import a_node, nodes_on, shared_url, url
from tests.contract.rows import GONE, ONE, fill, token_of
from tests.nodes.proxy import Fault, Network, network

__all__ = ["shared_url", "url"]

pytestmark = pytest.mark.slow

T = TypeVar("T")

LEASE = 1.0
PATIENT = 120.0
"""Seconds that the database may take for an answer, which nobody may wait for."""
FIRST, AT_ONCE, BACK = 30.0, 0.05, 60.0
"""Seconds for the first refusal, for most of those that follow, and until there is an answer again
at the latest, on a machine that has much to do."""


@pytest.fixture
def wires() -> Iterator[Network]:
    with network() as made:
        yield made


async def refused(ask: Callable[[], Awaitable[object]]) -> float:
    """The seconds it took to be refused."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await ask()
    return time.monotonic() - began


async def at_last(act: Callable[[], Awaitable[T]]) -> T:
    """What comes of it once it is not refused any more."""
    began = time.monotonic()
    while True:
        try:
            return await act()
        except StoreUnavailable:
            assert time.monotonic() - began < BACK
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.DROP, Fault.CUT, Fault.HOLD_ANSWERS])
async def test_who_is_cut_off_refuses_at_once(url: str, wires: Network, fault: Fault) -> None:
    at = urlsplit(url)
    assert at.port is not None
    proxy = wires.proxy(at.port)
    async with nodes_on(url, 1, lease=LEASE) as [other]:
        await fill(other, 2)
        through = url.replace(f":{at.port}", f":{proxy.port}")
        island = await a_node(through, "island", lease=LEASE, answering=PATIENT)

        def ask() -> Awaitable[Found | None]:
            return island.find(token_of(1))

        async def write() -> None:
            await do(island, lambda tx: tx.end_session(SessionId("s2"), GONE))

        assert await ask() is not None
        proxy.set(fault)
        unknown = [refused(lambda: island.find(token_of(9))) for _ in range(20)]
        assert max(await asyncio.gather(*unknown)) < FIRST
        await at_last(lambda: do(other, lambda tx: tx.end_session(SessionId("s1"), GONE)))
        await until(lambda: not island.following.fresh)
        assert await refused(ask) < FIRST
        await until(lambda: island.following.cut_off)
        took = []
        for _ in range(40):
            took += [await refused(ask), await refused(write)]
            await asyncio.sleep(0.02)
        assert sorted(took)[len(took) // 2] < AT_ONCE

        proxy.heal()
        found = await at_last(ask)
        assert found is not None
        assert found.session.ended is not None, "it was ended while nobody could say so here"
        await at_last(write)
        await island.close()


async def test_an_attempt_to_connect_that_goes_astray_is_not_waited_for(url: str) -> None:
    at = urlsplit(url)
    lost: list[bool] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The first is heard by nobody."""
        if not lost:
            lost.append(False)
            await reader.read()
            lost[0] = True
            writer.close()
            return
        store, to_store = await asyncio.open_connection(at.hostname, at.port)
        await asyncio.gather(carry(reader, to_store), carry(store, writer))

    async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            to.write(piece)
        to.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        began = time.monotonic()
        astray = url.replace(f":{at.port}", f":{port}")
        db = await connect_soon(Server(url=astray, connecting=PATIENT), "tries")
        assert time.monotonic() - began < BACK
        assert await db.fetchval("SELECT 1") == 1
        await until(lambda: lost == [True])
        await db.close()


async def test_who_waits_for_a_turn_when_the_way_is_cut_is_told_at_once(
    url: str, wires: Network
) -> None:
    at = urlsplit(url)
    assert at.port is not None
    proxy = wires.proxy(at.port)
    async with nodes_on(url, 1, lease=LEASE) as [other]:
        await fill(other, 9)
        through = url.replace(f":{at.port}", f":{proxy.port}")
        island = await a_node(through, "island", lease=LEASE, answering=PATIENT)

        async def write(number: int) -> None:
            await do(island, lambda tx: tx.end_session(SessionId(f"s{number}"), GONE))

        await at_last(lambda: write(1))
        proxy.set(Fault.HOLD)
        writes = [refused(lambda number=number: write(number)) for number in range(2, 8)]  # type: ignore[misc]
        assert max(await asyncio.gather(*writes)) < FIRST
        proxy.heal()
        await island.close()


async def test_who_reads_the_audit_log_when_the_way_is_cut_is_told_in_time(
    url: str, wires: Network
) -> None:
    at = urlsplit(url)
    assert at.port is not None
    proxy = wires.proxy(at.port)
    async with nodes_on(url, 1, lease=LEASE) as [other]:
        await fill(other, 1)
        through = url.replace(f":{at.port}", f":{proxy.port}")
        island = await a_node(through, "island", lease=LEASE)

        async def read() -> None:
            async with island.transaction(ONE) as tx:
                proxy.set(Fault.HOLD)
                await tx.records()

        assert await refused(read) < 60
        proxy.heal()
        await at_last(lambda: do(island, lambda tx: tx.end_session(SessionId("s1"), GONE)))
        await island.close()


async def test_who_reads_everything_when_the_way_is_cut_gives_up_in_time(
    url: str, wires: Network
) -> None:
    at = urlsplit(url)
    assert at.port is not None
    proxy = wires.proxy(at.port)
    async with nodes_on(url, 1) as [one]:
        await fill(one, 1)
    through = url.replace(f":{at.port}", f":{proxy.port}")
    db = await connect_soon(Server(url=through), "tries")
    assert (await load(db)).seq == one.position
    proxy.set(Fault.HOLD)
    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await load(db, within=0.5)
    assert db.is_closed()
    proxy.heal()
    again = await connect_soon(Server(url=through), "tries")
    assert (await load(again)).seq == one.position
    await again.close()
