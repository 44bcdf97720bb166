"""The PostgreSQL store lives through the same random lives as every other."""

from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from lastcall.domain.errors import StoreUnavailable
from lastcall.index import IndexStore
from tests.contract.owing_machine import OwingMachine
from tests.contract.postgres import a_node, emptied, shared_url

__all__ = ["shared_url"]

T = TypeVar("T")


class PostgresMachine(OwingMachine):
    """Uses are written after each verb: they do not count before."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner.run(emptied(self.url))

    async def open_store(self) -> IndexStore:
        return await a_node(self.url, lease=0.2)

    def run_(self, verb: Coroutine[Any, Any, T]) -> T:
        async def verb_and_uses() -> T:
            try:
                return await verb
            finally:
                if hasattr(self, "store"):
                    with suppress(StoreUnavailable):  # it is closed
                        await self.store.record_uses()

        return super().run_(verb_and_uses())

    def reopens(self) -> bool:
        return True


@pytest.mark.slow
def test_lives(shared_url: str) -> None:
    class Here(PostgresMachine):
        url = shared_url

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
