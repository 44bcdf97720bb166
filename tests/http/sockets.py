"""The real server on a free port, and bytes to and from it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import uvicorn

from lastcall.http import Asgi, uvicorn_options
from lastcall.http.fast import FastProtocol
from tests.http.asgi import Answer

PATIENCE = 60.0


class Hasty(FastProtocol):
    """The same, sooner."""

    head_seconds = 0.3
    stall_seconds = 0.5


class Server(uvicorn.Server):
    """Says when it has begun, and leaves signals to the tests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()

    async def main_loop(self) -> None:
        """As the parent's, which looks ten times a second whether it is over."""
        await self.on_tick(0)
        await self.over.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: Asgi, *, hasty: bool = False) -> AsyncIterator[int]:
    options = uvicorn_options() | ({"http": Hasty} if hasty else {})
    server = Server(uvicorn.Config(app, timeout_graceful_shutdown=1, **options))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        task = asyncio.create_task(server.serve([sock]))
        await server.begun.wait()
        yield sock.getsockname()[1]
        server.over.set()
        await task


@dataclass
class Wire:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """What the server no longer reads is not an error here."""
        self.writer.write(data)
        try:
            await self.writer.drain()
        except ConnectionError:
            return

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The next answer; its status is 0 when the server closed instead."""
        try:
            async with asyncio.timeout(PATIENCE):
                head = await self.reader.readuntil(b"\r\n\r\n")
                status, *lines = head[:-4].decode("latin-1").split("\r\n")
                headers = [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines]
                found = Answer(int(status.split(" ")[1]), headers, b"")
                length = 0 if bodiless else int(found.header("content-length") or 0)
                found.body = await self.reader.readexactly(length)
                return found
        except (asyncio.IncompleteReadError, ConnectionError):
            return Answer(0, [], b"")

    async def closed(self) -> bool:
        """Whether nothing more comes."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
