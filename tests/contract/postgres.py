"""A database that tests of the PostgreSQL store share, emptied for each, and nodes on it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from lastcall.domain.audit import Record
from lastcall.stores.postgres import Name, PostgresStore, Server, open_store
from lastcall.stores.postgres.tables import TABLES
from tests.postgres.cluster import Cluster, database

EMPTY = "".join(f"DELETE FROM {table.name};" for table in TABLES.values())  # noqa: S608
ANEW = """
DELETE FROM feed; DELETE FROM followers; DELETE FROM shared; DELETE FROM epochs;
INSERT INTO epochs (epoch) VALUES (gen_random_uuid()::text);
UPDATE feed_head SET epoch = (SELECT epoch FROM epochs), seq = 0, latest = 0;
"""
assert Record in TABLES


@pytest.fixture(scope="module")
def shared_url(postgres: Cluster) -> Iterator[str]:
    with database(postgres) as name:
        yield postgres.url(name)


@pytest.fixture
async def url(shared_url: str) -> str:
    """Where an empty database is."""
    await emptied(shared_url)
    return shared_url


async def emptied(url: str) -> None:
    db = await asyncpg.connect(url)
    if await db.fetchval("SELECT to_regclass('feed')") is not None:
        await db.execute(EMPTY + ANEW)
    await db.close()


async def a_node(
    url: str, node: str = "a", lease: float = 2.0, answering: float = 4.0, **more: Any
) -> PostgresStore:
    """`answering`: how many seconds the database may take for an answer."""
    server = Server(url=url, connecting=2.0, answering=answering)
    return await open_store(server, Name(node=node, lease=lease), **more)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    db = await asyncpg.connect(url)
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def nodes_on(url: str, count: int = 3, **more: Any) -> AsyncIterator[list[PostgresStore]]:
    opened = [await a_node(url, node, **more) for node in "abcdef"[:count]]
    try:
        yield opened
    finally:
        for store in opened:
            await store.close()


async def written(db: Any) -> None:
    """Return once the end of a session is in the database."""
    while not await db.fetchval("SELECT 1 FROM sessions WHERE ended_at IS NOT NULL"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def vanish(store: PostgresStore) -> None:
    """As if its process were stopped: nothing of it goes on, and its lease stays."""
    for task in store.tasks:
        task.cancel()


class TurnGate:
    """Stands before a COMMIT; it can hold it back, let it through, or break the store there."""

    def __init__(self) -> None:
        self._way = asyncio.Event()
        self._way.set()
        self._failing = False
        self.waiting = asyncio.Event()

    async def __call__(self, step: str) -> None:
        if not self._way.is_set():
            self.waiting.set()
        await self._way.wait()
        if self._failing:
            raise RuntimeError("planted")

    def shut(self) -> None:
        self._way.clear()

    def open(self) -> None:
        self._way.set()

    def fail(self) -> None:
        self._failing = True
        self._way.set()

    async def settle(self) -> None:
        """What can go on gets to the gate, if that is shut, or has to wait for what is there."""
        if not self._way.is_set():
            await asyncio.wait_for(self.waiting.wait(), 60)
        await asyncio.sleep(0.05)
