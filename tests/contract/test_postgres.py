"""The PostgreSQL store keeps the contract, alone and beside other nodes on one database."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from lastcall.index import IndexStore
from lastcall.stores.postgres import Name, PostgresStore, Server, open_store
from tests.contract.store import StoreContract

pytestmark = pytest.mark.slow


async def a_node(url: str, node: str = "a", **more: object) -> PostgresStore:
    name = Name(node=node, instance="", lease=2.0)
    return await open_store(Server(url=url), name, **more)  # type: ignore[arg-type]


class TurnGate:
    """Stands before a COMMIT; it can hold it back, let it through, or break the store there."""

    def __init__(self) -> None:
        self._way = asyncio.Event()
        self._way.set()
        self._failing = False

    async def __call__(self, step: str) -> None:
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
        await asyncio.sleep(0.05)


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def gate(self) -> TurnGate:
        return TurnGate()

    @pytest.fixture
    async def store(self, gate: TurnGate, postgres_url: str) -> AsyncIterator[IndexStore]:
        store = await a_node(postgres_url, step=gate)
        yield store
        await store.close()
