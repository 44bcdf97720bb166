"""One connection to a server without a socket, through the fast lane or past it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from lastcall.http import Asgi, Mount
from lastcall.http.fast import FastProtocol, uvicorn_options
from tests.http.asgi import Served, serve
from tests.wire.conversation import quiet
from tests.world import World, make_world

DATE = (b"date", b"Sat, 21 Nov 2026 08:00:00 GMT")
PATIENCE = 60.0


class Watched(FastProtocol):
    """Counts which lane its requests take."""

    ordinary = 0
    fast = 0

    @property
    def shortest(self) -> int:
        """Good answers of the whole lane that the figures do not have yet."""
        assert self._lane is not None
        return self._lane.answered

    def _take_on(self) -> None:
        self.ordinary += 1
        super()._take_on()

    def _begin(self, *arguments: Any) -> None:
        self.fast += 1
        super()._begin(*arguments)


class Pipe(asyncio.Transport):
    """What is written stays here; `full` stands for a client that does not read."""

    def __init__(self, peer: tuple[str, int]) -> None:
        super().__init__({"peername": peer, "sockname": ("127.0.0.1", 8700)})
        self.written = bytearray()
        self.closing = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closing, f"written after the end: {bytes(data)!r}"
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Line:
    """The client's end. `state` is the server's, which the lines of a server share."""

    def __init__(
        self,
        app: Asgi,
        *,
        fast: bool = True,
        peer: tuple[str, int] = ("192.0.2.7", 4711),
        keep_alive: int = 15,
        state: ServerState | None = None,
    ) -> None:
        async def ordinary(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        options = uvicorn_options() | {"timeout_keep_alive": keep_alive}
        config = uvicorn.Config(app if fast else ordinary, **options)
        self.state = state or ServerState()
        self.state.default_headers = [DATE]
        self.protocol = Watched(config, self.state, {})
        self.pipe = Pipe(peer)
        self.protocol.connection_made(self.pipe)
        self._left: list[bytes] = []

    async def send(self, *pieces: bytes) -> bytes:
        """Everything that has been answered once all that can go on has gone on."""
        self._left += pieces
        while self._left and self.pipe.is_reading() and not self.pipe.closing:
            self.protocol.data_received(self._left.pop(0))
            await self.settle()
        await self.settle()
        return bytes(self.pipe.written)

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    async def answered(self) -> bytes:
        """The same, once nothing waits for its answer any more."""
        async with asyncio.timeout(PATIENCE):
            while (self.waiting or self._left) and not self.pipe.closing:
                await asyncio.sleep(0.001)
                await self.send()
        return self.taken()

    async def heard(self) -> bytes:
        """The same, of an answer without an end: what there is when no more comes."""
        before = -1
        while before < len(self.pipe.written):
            before = len(self.pipe.written)
            await quiet()
        return self.taken()

    @property
    def waiting(self) -> bool:
        cycle: Any = self.protocol.cycle
        return cycle is not None and not cycle.response_complete and not self.pipe.closing

    def taken(self) -> bytes:
        """What was written since the last time."""
        written = bytes(self.pipe.written)
        self.pipe.written.clear()
        return written

    def leave(self) -> None:
        self.pipe.closing = True
        self.protocol.connection_lost(None)


def request(
    method: str, target: str, *headers: tuple[str, str], body: bytes = b"", host: str = "127.0.0.1"
) -> bytes:
    lines = [("Host", host), *headers]
    if body or method == "POST":
        lines.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def check(token: str, *headers: tuple[str, str], host: str = "127.0.0.1") -> bytes:
    return request("GET", "/v1/check", ("Authorization", f"Bearer {token}"), *headers, host=host)


class Pair:
    """Two servers over worlds alike: one asked through the fast lane, the other past it."""

    def __init__(self, worlds: Sequence[World], served: Sequence[Served]) -> None:
        self.worlds = worlds
        self.served = served
        self.lines: Sequence[Line] = ()
        self.connect()

    def connect(self, **how: Any) -> None:
        self.lines = [
            Line(one.app, fast=fast, **how)
            for one, fast in zip(self.served, (True, False), strict=True)
        ]

    @property
    def protocol(self) -> Watched:
        """The fast one's."""
        return self.lines[0].protocol

    async def ask(self, *pieces: bytes) -> bytes:
        """What both answer to these pieces; on new connections if the last ones were closed."""
        if all(line.pipe.closing for line in self.lines):
            self.connect()
        for line in self.lines:
            await line.send(*pieces)
        fast, ordinary = [await line.answered() for line in self.lines]
        assert fast == ordinary, pieces
        assert self.lines[0].pipe.closing == self.lines[1].pipe.closing
        return fast

    async def do(self, act: Callable[[World], Awaitable[object]]) -> None:
        for world in self.worlds:
            await act(world)


async def pair(*mounts: Mount, **facts: Any) -> Pair:
    worlds = [await make_world() for _ in range(2)]
    return Pair(worlds, [serve(world, *mounts, **facts) for world in worlds])
