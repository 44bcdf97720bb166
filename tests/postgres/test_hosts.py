"""An address with several hosts: whichever takes writes is used, whatever the others do."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg
import pytest

from lastcall.stores.postgres.connecting import TROUBLE, Server, connect, each_host, shown
from tests.postgres.cluster import Cluster, cluster, database, promote, standby

pytestmark = pytest.mark.slow

NOBODY = 1
"""A port that nothing listens on."""


@dataclass
class Two:
    primary: Cluster
    second: Cluster
    database: str

    def url(self, port: int, *more: int, **options: str) -> str:
        return self.primary.url_at(port, self.database, *more, **options)


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with cluster() as first, database(first) as name, standby(first) as second:
        yield Two(first, second, name)


async def port_of(url: str, connecting: float = 300.0) -> int:
    """Of the server that was connected to, which takes writes."""
    async with asyncio.timeout(120):
        db = await connect(Server(url=url, connecting=connecting), "tries")
    assert await db.fetchval("SHOW transaction_read_only") == "off"
    port = await db.fetchval("SHOW port")
    await db.close()
    return int(port)


@pytest.mark.parametrize("wanted", ["any", "standby", "read-write"])
async def test_whichever_takes_writes_is_used(two: Two, wanted: str) -> None:
    """Whatever the address asks for: a node never reads from a standby."""
    primary, second = two.primary.port, two.second.port
    for ports in [(primary, second), (second, primary), (NOBODY, second, primary)]:
        assert await port_of(two.url(*ports, target_session_attrs=wanted)) == primary


async def test_a_host_that_says_nothing_holds_nobody_up(two: Two) -> None:
    """It takes connections, as the kernel of a machine does whose PostgreSQL is stuck."""

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(heard, "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        assert await port_of(two.url(port, two.second.port, two.primary.port)) == two.primary.port


async def test_a_standby_alone_is_no_place_to_be(two: Two) -> None:
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await port_of(two.url(NOBODY, two.second.port, target_session_attrs="any"))


async def test_what_a_server_says_is_told_rather_than_that_another_is_silent(two: Two) -> None:
    wrong = two.url(NOBODY, two.primary.port, two.second.port).replace("test_", "no_such_")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await port_of(wrong)
    with pytest.raises(TROUBLE):
        await port_of(two.url(NOBODY, NOBODY))


async def test_a_standby_that_was_promoted_is_used() -> None:
    with cluster() as first, database(first) as name, standby(first) as second:
        both = Two(first, second, name)
        url = both.url(first.port, second.port)
        assert await port_of(url) == first.port
        first.pause()
        await asyncio.to_thread(promote, second)
        assert await port_of(url) == second.port
        first.resume()
        first.stop(signal.SIGQUIT)
        assert await port_of(url) == second.port


def test_each_host_has_an_address_of_its_own() -> None:
    url = "postgresql://me:pw@db1,db2:5433,[::1]:5434/lastcall?sslmode=require"
    assert each_host(url) == [
        "postgresql://me:pw@db1/lastcall?sslmode=require",
        "postgresql://me:pw@db2:5433/lastcall?sslmode=require",
        "postgresql://me:pw@[::1]:5434/lastcall?sslmode=require",
    ]
    assert each_host("postgresql:///lastcall?host=/run") == ["postgresql:///lastcall?host=/run"]
    assert shown(url) == "postgresql://me@db1,db2:5433,[::1]:5434/lastcall"
