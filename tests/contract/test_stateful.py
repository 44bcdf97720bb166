"""Each store lives through the same random lives."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from lastcall.index import IndexStore
from lastcall.stores.memory import MemoryStore
from lastcall.stores.sqlite import SqliteStore
from tests.contract.owing_machine import OwingMachine


class MemoryMachine(OwingMachine):
    async def open_store(self) -> IndexStore:
        return MemoryStore()


class SqliteMachine(OwingMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()

    async def open_store(self) -> IndexStore:
        return await SqliteStore.open(Path(self.folder.name) / "store.db")

    def reopens(self) -> bool:
        return True

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


@pytest.mark.parametrize(
    ("machine", "lives", "steps"),
    [
        (MemoryMachine, 20, 30),
        (SqliteMachine, 4, 20),
        pytest.param(MemoryMachine, 300, 60, marks=pytest.mark.slow),
        pytest.param(SqliteMachine, 30, 50, marks=pytest.mark.slow),
    ],
)
def test_lives(machine: type[OwingMachine], lives: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
