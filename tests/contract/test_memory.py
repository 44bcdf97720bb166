"""The memory store keeps the contract."""

import pytest

from lastcall.index import IndexStore
from lastcall.stores.memory import AtOnce, MemoryStore
from tests.contract.gates import GatedLog
from tests.contract.store import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def gate(self) -> GatedLog:
        return GatedLog(AtOnce())

    @pytest.fixture
    def store(self, gate: GatedLog) -> IndexStore:
        return MemoryStore(gate)


async def test_needs_nothing_to_begin() -> None:
    assert await MemoryStore().live_sessions() == 0
