"""A WebSocket over a real socket, to an application whose sessions a real authority ends.

What is pinned has no ASGI server that speaks WebSocket; aiohttp, which does, is made one here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from lastcall.client.asgi import AGAIN, POLICY, LastcallMiddleware
from tests.client.running import PATIENCE, SECRET, Proxy, authority, bearer, log_in, log_out, proxy
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SHORT = 2.0
"""Seconds of a lease, and of waiting for an answer, that are to run out."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


@pytest.fixture
def way(server: Server) -> Iterator[Proxy]:
    with proxy(server.url) as made:
        yield made


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = f"{scope['user'].username}: {message['text']}"
        await send({"type": "websocket.send", "text": text})


class Peer:
    """One connection, as an ASGI server hands it to an application."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.socket = web.WebSocketResponse()
        self.begun = False
        self.scope = {
            "type": "websocket",
            "path": request.path,
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
        }

    async def receive(self) -> dict[str, Any]:
        if not self.begun:
            self.begun = True
            return {"type": "websocket.connect"}
        message = await self.socket.receive()
        if message.type is WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": message.data}
        return {"type": "websocket.disconnect", "code": self.socket.close_code or 1006}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            await self.socket.prepare(self.request)
        elif message["type"] == "websocket.send":
            await self.socket.send_str(message["text"])
        elif self.socket.prepared:
            await self.socket.close(code=message["code"])
        else:
            raise web.HTTPForbidden


@asynccontextmanager
async def application(way: Proxy, seconds: float = PATIENCE) -> AsyncIterator[str]:
    guarded = LastcallMiddleware(
        echo, url=way.url, service="wiki", secret=SECRET, lease=seconds, patience=seconds
    )

    async def serve(request: web.Request) -> web.StreamResponse:
        peer = Peer(request)
        await guarded(peer.scope, peer.receive, peer.send)
        return peer.socket

    app = web.Application()
    app.router.add_get("/echo", serve)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/echo"
    finally:
        await runner.cleanup()
        await guarded.guard.close()


@asynccontextmanager
async def talking(url: str, token: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=bearer(token)) as socket,
    ):
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=PATIENCE) == "monitor: hello"
        yield socket


async def closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """With which code the other side closed it, of itself."""
    message = await socket.receive(timeout=PATIENCE)
    assert message.type is WSMsgType.CLOSE, message
    return socket.close_code


async def test_it_is_closed_with_its_session_and_no_other_is(server: Server, way: Proxy) -> None:
    mine, kept = [await asyncio.to_thread(log_in, server.url) for _ in range(2)]
    async with (
        application(way) as url,
        talking(url, mine) as ending,
        talking(url, mine) as too,
        talking(url, kept) as going_on,
    ):
        await asyncio.to_thread(log_out, server.url, mine)
        assert [await closed(ending), await closed(too)] == [POLICY] * 2
        await going_on.send_str("still here")
        assert await going_on.receive_str(timeout=PATIENCE) == "monitor: still here"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with talking(url, mine):
                raise AssertionError
        assert refused.value.status == 403


async def test_it_is_closed_when_nobody_knows_whether_the_session_goes_on(
    server: Server, way: Proxy
) -> None:
    token = await asyncio.to_thread(log_in, server.url)
    async with application(way, SHORT) as url, talking(url, token) as socket:
        way.dropping = True
        assert await closed(socket) == AGAIN
