"""Every golden conversation over HTTP, through the fast lane and past it: the same to the byte."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lastcall.dialects import DIALECTS
from lastcall.domain.types import TenantId
from lastcall.http import Mount
from lastcall.wire import Dialect, Hot
from tests.http.asgi import Served, serve
from tests.http.lanes import Line, request
from tests.wire.conversation import Exchange, Story, filled, read
from tests.world import TENANT, World, make_world

GOLDEN = Path(__file__).parent / "golden"
STORIES = sorted(GOLDEN.rglob("*.http"))
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
HOST = "127.0.0.1:8700"


class Teller:
    """A story told to one server, one connection after the other as its knobs say."""

    def __init__(self, story: Story, dialect: Dialect[Any], world: World, *, fast: bool) -> None:
        self._settings = msgspec.convert(story.settings, dialect.settings)
        if not all(_path(one).startswith(dialect.prefixes) for one in story.exchanges):
            self._settings = msgspec.structs.replace(self._settings, host="127.0.0.1")
        self._dialect, self._world, self._fast = dialect, world, fast
        self._tenant = TENANT
        self._peer = ("192.168.2.103", 59486)
        self._host = HOST
        self._served = self._serving()
        self.line = self._connected()

    async def tell(self, exchange: Exchange) -> bytes:
        for knob in exchange.knobs:
            self._turn(*knob[1:].split(" ", 1))
        if self.line.pipe.closing:
            self.line = self._connected()
        await self.line.send(self._bytes(filled(exchange.request, self._world)))
        if "text/event-stream" not in exchange.reply:
            return await self.line.answered()
        heard = await self.line.heard()
        self.line.leave()
        await self.line.settle()
        self.line = self._connected()
        return heard

    def _turn(self, name: str, value: str) -> None:
        if name == "advance":
            self._world.clock.advance(int(value))
            return
        if name == "tenant":
            self._tenant = TenantId(value)
            self._served = self._serving()
        elif name == "host":
            self._host = value
        else:
            address, port = self._peer
            self._peer = (value, port) if name == "address" else (address, int(value))
        self.line = self._connected()

    def _serving(self) -> Served:
        settings = msgspec.structs.replace(self._settings, tenant=self._tenant)
        drawn = self._world.entropy.drawn
        served = serve(self._world, Mount(dialect=self._dialect, settings=settings))
        self._world.entropy.drawn = drawn  # the tokens in the stories are those without a server
        return served

    def _connected(self) -> Line:
        return Line(self._served.app, fast=self._fast, peer=self._peer)

    def _bytes(self, told: str) -> bytes:
        head, _, body = told.partition("\n\n")
        first, *lines = head.split("\n")
        sent = body.replace("\\r", "\r").encode("utf-8", "surrogateescape")
        names = {line.partition(":")[0].lower() for line in lines}
        if "host" not in names:
            lines.append(f"Host: {self._host}")
        if sent:
            lines.append(f"Content-Length: {len(sent)}")
        text = "\r\n".join((f"{first} HTTP/1.1", *lines, "", ""))
        return text.encode("utf-8", "surrogateescape") + sent


def _path(exchange: Exchange) -> str:
    return exchange.request.split()[1]


@pytest.mark.slow
@pytest.mark.parametrize("path", STORIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_conversation_is_the_same_in_both_lanes(path: Path) -> None:
    story = read(path)
    dialect = BY_NAME[path.parent.name]  # type: ignore[index]
    tellers = [
        Teller(story, dialect, await make_world(policy=story.policy), fast=fast)
        for fast in (True, False)
    ]
    for number, exchange in enumerate(story.exchanges, 1):
        fast, ordinary = [await teller.tell(exchange) for teller in tellers]
        where = f"exchange {number}: {exchange.request.splitlines()[0]}"
        assert fast == ordinary, where
        assert fast.split(b" ")[1].decode() == exchange.reply.splitlines()[0], where


HOT = [
    (dialect, method, route.path)
    for dialect in DIALECTS
    for route in dialect.routes
    if route.hot is not None
    for method in route.allowed
    if method != "HEAD"
]


@pytest.mark.parametrize(
    ("dialect", "method", "path"), HOT, ids=[f"{one.name} {how} {at}" for one, how, at in HOT]
)
async def test_what_is_hot_takes_the_fast_lane(
    dialect: Dialect[Any], method: str, path: str
) -> None:
    served = serve(await make_world())
    line, target = Line(served.app), re.sub(r"\{\w+\}", "x1", path)
    await line.send(request(method, target), request(method, f"{target}?a=b"))
    assert (line.protocol.fast, line.protocol.ordinary) == (2, 0)
    assert (await line.answered()).count(b"HTTP/1.1 ") == 2
    await line.send(request("HEAD", target), request(method, f"{target}%20"))
    assert (line.protocol.fast, line.protocol.ordinary) == (2, 2)


async def test_every_wire_has_hot_checks_and_hot_logouts() -> None:
    hot = {(dialect.name, route.hot) for dialect in DIALECTS for route in dialect.routes}
    for dialect in DIALECTS:
        assert (dialect.name, Hot.CALL) in hot
        assert (dialect.name, Hot.CHECK) in hot or dialect.name == "rsa", "one address for all"
