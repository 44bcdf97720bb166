"""The node that tells an application dies while it tells: another one tells it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.checker import Answer
from tests.connectors.receivers import FOREVER, Exchange, receiver
from tests.nodes.asking import PATIENCE
from tests.nodes.crowd import Crowd, One, crowd
from tests.nodes.house import Node, house, person
from tests.postgres.cluster import Cluster, database

pytestmark = pytest.mark.fault

APP = """\
[outbox]
claim = "500ms"

[apps.shop]
owner = "the shopkeepers"
connector = "webhook"
always = true
private = true
timeout = "10s"

[apps.shop.settings]
url = "http://127.0.0.1:PORT/hook"

[apps.shop.secrets]
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
"""


class Shop:
    """Hears of endings. The first `deaf` times it takes the request and never answers."""

    def __init__(self, deaf: int = 0) -> None:
        self.deaf = deaf
        self.callers: asyncio.Queue[int] = asyncio.Queue()
        self.told: list[str] = []

    async def __call__(self, exchange: Exchange) -> None:
        if self.deaf:
            self.deaf -= 1
            self.callers.put_nowait(exchange.writer.get_extra_info("peername")[1])
            await asyncio.sleep(FOREVER)
        self.told.append(str(exchange.seen.headers["webhook-id"]))
        await exchange.reply(204)


def holds(node: Node, port: int) -> bool:
    """Whether the connection from that port of 127.0.0.1 is this node's."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {
        f"socket:[{line[9]}]" for line in lines if int(line[1].rsplit(":", 1)[1], 16) == port
    }
    held = Path(f"/proc/{node.server.process.pid}/fd").iterdir()
    return any(str(link.readlink()) in sockets for link in held)


async def told_of(people: Crowd, node: Node, one: One) -> str:
    """Log it out there; the id of the receipt."""
    reply = await people.insist(node, "POST", "/v1/logout", one.token, body={})
    assert reply.status == 200, reply.body
    one.heard(0.0, Answer.DONE)
    return str(reply.json()["id"])


async def test_another_node_tells_when_the_one_that_did_dies(
    postgres: Cluster, tmp_path: Path
) -> None:
    shop = Shop(deaf=1)
    async with receiver(shop) as there:
        app = APP.replace("PORT", str(there.port))
        with database(postgres) as name, house(tmp_path, postgres, name, more=app) as nodes:
            async with crowd(nodes) as people:
                admin = await people.log_in(nodes.nodes[0], "admin")
                one = await people.log_in(nodes.nodes[0], person(1))
                receipt = await told_of(people, nodes.nodes[1], one)
                port = await asyncio.wait_for(shop.callers.get(), PATIENCE)
                (teller,) = [node for node in nodes.nodes if holds(node, port)]
                await asyncio.to_thread(teller.kill)
                (other, *_) = [node for node in nodes.nodes if node is not teller]
                shown = await people.receipt(other, receipt, admin)
                assert len(shop.told) == 1, shown
                states = [one["state"] for one in shown["deliveries"]]
                assert states == ["acknowledged"], json.dumps(shown)


async def test_nobody_is_told_twice_while_nothing_is_wrong(
    postgres: Cluster, tmp_path: Path
) -> None:
    shop = Shop()
    async with receiver(shop) as there:
        app = APP.replace("PORT", str(there.port))
        with database(postgres) as name, house(tmp_path, postgres, name, more=app) as nodes:
            async with crowd(nodes) as people:
                mine = await people.log_in_all(30, person(2))
                await asyncio.gather(
                    *(people.out_at_last(nodes.nodes[n % 3], one) for n, one in enumerate(mine))
                )
                async with asyncio.timeout(PATIENCE):
                    while len(shop.told) < 30:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0.05)
                await asyncio.sleep(0.5)
                assert len(shop.told) == 30
                assert len(set(shop.told)) == 30


async def test_a_stream_at_one_node_ends_with_a_logout_at_another(
    postgres: Cluster, tmp_path: Path
) -> None:
    async with receiver(Shop(deaf=1_000)) as there:
        app = APP.replace("PORT", str(there.port)).replace('timeout = "10s"', 'timeout = "60s"')
        with database(postgres) as name, house(tmp_path, postgres, name, more=app) as nodes:
            async with crowd(nodes) as people:
                watching = await people.log_in(nodes.nodes[0], "admin")
                one = await people.log_in(nodes.nodes[0], person(1))
                receipt = await told_of(people, nodes.nodes[0], one)
                path = f"/v1/receipts/{receipt}/events"
                stream = Stream(nodes.nodes[0], watching.token, path)
                assert b"event: receipt" in await stream.next()
                await people.out_at_last(nodes.nodes[1], watching)
                assert b"event: closed" in await stream.rest()


class Stream:
    """Server-sent events, as they come."""

    def __init__(self, node: Node, token: str, path: str) -> None:
        host = node.url.removeprefix("http://")
        self._port = int(host.rsplit(":", 1)[1])
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            "Connection: close\r\n\r\n"
        )
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def next(self) -> bytes:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(self._request.encode())
        return await asyncio.wait_for(self._reader.readuntil(b"data: "), PATIENCE)

    async def rest(self) -> bytes:
        assert self._reader is not None
        assert self._writer is not None
        try:
            return await asyncio.wait_for(self._reader.read(), PATIENCE)
        finally:
            self._writer.close()
