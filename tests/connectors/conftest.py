"""The real way out, for tests that tell receivers on this machine."""

from collections.abc import AsyncIterator

import pytest

from lastcall.egress import HttpEgress
from tests.connectors.making import Names
from tests.fakes import FakeSigner


@pytest.fixture
async def egress() -> AsyncIterator[HttpEgress]:
    way = HttpEgress(look_up=Names())
    yield way
    await way.close()


@pytest.fixture
def signer() -> FakeSigner:
    return FakeSigner()
