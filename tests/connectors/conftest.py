"""The real way out, for tests that tell receivers on this machine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lastcall.egress import HttpEgress
from tests.connectors.making import Names
from tests.fakes import FakeSigner

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here talks to real sockets, and some of it to receivers that hang."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
async def egress() -> AsyncIterator[HttpEgress]:
    way = HttpEgress(look_up=Names())
    yield way
    await way.close()


@pytest.fixture
def signer() -> FakeSigner:
    return FakeSigner()
