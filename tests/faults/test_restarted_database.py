"""PostgreSQL is restarted and killed under nodes that write: nothing is answered that is not so,
and all nodes agree afterwards."""

import asyncio
import signal
from itertools import count

import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SessionId
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
                await asyncio.sleep(0.3)
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
                await store.following.caught_up()
                for number in crowd.begun:
                    found = await store.find(token_of(number))
                    assert found is not None
                for number in crowd.ended:
                    found = await store.find(token_of(number))
                    assert found is not None
                    assert found.session.ended == GONE
            assert snapshot(nodes[0].index) == snapshot(nodes[1].index) == snapshot(nodes[2].index)
            assert len(crowd.ended) > 10


async def back(store: PostgresStore) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await store.following.caught_up()
            except StoreUnavailable:
                assert store.failed is None
                await asyncio.sleep(0.02)
