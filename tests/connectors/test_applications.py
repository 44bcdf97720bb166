"""Trying applications over real HTTP, and what is said of their answers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest

from lastcall.applications import Nowhere, Reach, problems
from lastcall.connectors import CONNECTORS
from lastcall.domain.delivery import Outcome
from lastcall.domain.trial import Trial, explained
from lastcall.domain.types import Duration
from lastcall.egress import HttpEgress
from lastcall.outward import NoAnswer
from lastcall.ports import Applications
from tests.contract.applications import ApplicationsContract, Known, client
from tests.fakes import CountingEntropy, FakeApplications, FakeClock, FakeSigner, FakeVault

KEY = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


@dataclass
class Hook:
    """A receiver that says 204 to everything, and remembers."""

    url: str
    heard: list[bytes]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        heard.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield Hook(f"http://127.0.0.1:{port}/hook", heard)
    server.close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/hook"


@pytest.fixture
async def reach() -> AsyncIterator[Reach]:
    egress = HttpEgress()
    connectors = {name: make(egress, FakeSigner()) for name, make in CONNECTORS.items()}
    yield Reach(
        connectors=connectors, vault=FakeVault(), clock=FakeClock(), entropy=CountingEntropy()
    )
    await egress.close()


class TestReach(ApplicationsContract):
    @pytest.fixture
    def applications(self, reach: Reach) -> Applications:
        return reach

    @pytest.fixture
    def known(self, hook: Hook, nobody: str) -> Known:
        return Known(
            good={"url": hook.url},
            dead={"url": nobody},
            odd={"url": hook.url, "colour": "blue"},
            secrets={"secret": FakeVault().seal(KEY, "client:c_1:secret")},
        )

    async def test_a_notice_that_can_end_nothing(
        self, reach: Reach, known: Known, hook: Hook
    ) -> None:
        await reach.test(client(known, known.good))
        (body,) = hook.heard
        assert b"lastcall-test-" in body
        assert b"john" not in body

    async def test_nothing_is_sent_where_something_is_wrong(
        self, reach: Reach, known: Known, hook: Hook
    ) -> None:
        for one in (client(known, known.odd), client(known, {}, "")):
            trial = await reach.test(replace(one, secrets={}))
            assert (trial.outcome, trial.status) == (Outcome.REFUSED, 0)
            assert trial.error
        assert hook.heard == []


class TestFake(ApplicationsContract):
    @pytest.fixture
    def applications(self) -> Applications:
        return FakeApplications()

    @pytest.fixture
    def known(self) -> Known:
        return Known(
            good={"url": "https://good.example"},
            dead={"url": "https://dead.example"},
            odd={"url": "https://good.example", "wrong": "is odd"},
            secrets={},
        )


async def test_settings_are_checked_without_a_way_out() -> None:
    nowhere = Nowhere()
    connectors = {name: make(nowhere, nowhere) for name, make in CONNECTORS.items()}
    for name, connector in connectors.items():
        known = Known(good={}, dead={}, odd={}, secrets={})
        found = problems(connectors, client(known, {}, name), {})
        required = [one.name for one in connector.settings if one.required]
        assert [f"{one}: is missing" for one in required] == found[: len(required)]
    with pytest.raises(NoAnswer):
        await nowhere.request("GET", "https://a.example", within=Duration(1))
    with pytest.raises(ValueError, match="no keys"):
        await nowhere.sign({}, typ="JWT", alg="ES256")
    assert nowhere.jwks() == {"keys": []}


@pytest.mark.parametrize(
    ("trial", "word"),
    [
        (Trial(outcome=Outcome.DONE, status=200), "takes notices"),
        (Trial(outcome=Outcome.REFUSED, status=401), "credentials"),
        (Trial(outcome=Outcome.REFUSED, status=404), "path"),
        (Trial(outcome=Outcome.REFUSED, status=302), "redirects"),
        (Trial(outcome=Outcome.REFUSED, status=400), "refuses"),
        (Trial(outcome=Outcome.RETRY, status=503), "just now"),
        (Trial(outcome=Outcome.RETRY, status=429), "just now"),
        (Trial(outcome=Outcome.RETRY, error="tls"), "certificate"),
        (Trial(outcome=Outcome.UNKNOWN, error="timeout"), "within its timeout"),
        (Trial(outcome=Outcome.REFUSED, error="address"), "private"),
    ],
)
def test_an_answer_is_explained(trial: Trial, word: str) -> None:
    assert word in explained(trial)
