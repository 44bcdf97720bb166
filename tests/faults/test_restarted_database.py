"""PostgreSQL is restarted and killed under nodes that write: nothing is answered that is not so,
and all nodes agree afterwards."""

import asyncio
import signal
from contextlib import suppress
from itertools import count

import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SessionId
from lastcall.ports import Found
from lastcall.stores.postgres import PostgresStore
from tests.contract.changes import do
from tests.contract.postgres import nodes_on
from tests.contract.rows import GONE, ONE, a_session, fill, token_of
from tests.contract.snapshot import snapshot
from tests.postgres.cluster import cluster, database

pytestmark = pytest.mark.fault


class Crowd:
    def __init__(self) -> None:
        self.numbers = count(1)
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.over = False

    async def goes_on(self) -> None:
        """Return once some more have begun and ended."""
        enough = len(self.ended) + 5
        async with asyncio.timeout(120):
            while len(self.ended) < enough:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def work(self, store: PostgresStore) -> None:
        while not self.over:
            number = next(self.numbers)
            try:
                async with store.transaction(ONE) as tx:
                    serial = await tx.next_serial()
                    await tx.add_session(a_session(number, serial=serial))
                self.begun.append(number)
                if number % 2:
                    ending = SessionId(f"s{number}")
                    await do(store, lambda tx, one=ending: tx.end_session(one, GONE))  # type: ignore[misc]
                    self.ended.append(number)
            except StoreUnavailable:
                await asyncio.sleep(0.02)


async def test_nodes_agree_whatever_happens_to_the_database() -> None:
    with cluster() as server, database(server) as name:
        async with nodes_on(server.url(name)) as nodes:
            await fill(nodes[0], 0)
            crowd = Crowd()
            tasks = [asyncio.create_task(crowd.work(one)) for one in nodes for _ in range(4)]
            for how in (signal.SIGINT, signal.SIGKILL, signal.SIGQUIT):
                await crowd.goes_on()
                if how is signal.SIGKILL:
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
                else:
                    await asyncio.to_thread(server.restart, how)
                for store in nodes:
                    await back(store)
            crowd.over = True
            await asyncio.gather(*tasks)
            for store in nodes:
                for number in crowd.begun:
                    found = await found_by(store, number)
                    assert found is not None
                for number in crowd.ended:
                    found = await found_by(store, number)
                    assert found is not None
                    assert found.session.ended == GONE
            for store in nodes:
                await back(store)
            assert snapshot(nodes[0].index) == snapshot(nodes[1].index) == snapshot(nodes[2].index)


async def found_by(store: PostgresStore, number: int) -> Found | None:
    while True:
        with suppress(StoreUnavailable):
            return await store.find(token_of(number))
        await back(store)


async def back(store: PostgresStore) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                return await store.following.caught_up()
            except StoreUnavailable:
                assert store.failed is None
                await asyncio.sleep(0.02)
