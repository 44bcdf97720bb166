"""A network between a node and its store that can be made to fail, in a thread of its own."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")

CHUNK = 65_536
NOTIFICATION = b"A"
RESET = struct.pack("ii", 1, 0)
"""Linger on, for no seconds: closing sends RST."""


class Fault(StrEnum):
    NONE = "none"
    HOLD = "hold"
    """Nothing arrives until it is healed, and everything then: a partition TCP outlasts."""
    HOLD_ANSWERS = "hold answers"
    """What the node says arrives; what the store says does not, until it is healed."""
    DROP = "drop"
    """Nothing arrives, ever, on the connections there are; new ones are taken and are no better.
    Nobody is told: both ends believe in their half."""
    CUT = "cut"
    """Connections are reset, and new ones are too."""
    DEAF = "deaf"
    """Everything arrives but what PostgreSQL says unasked: nobody hears a NOTIFY."""


@dataclass
class Proxy:
    """Listens on `port` of 127.0.0.1 and forwards to `target`. `delay` in seconds, each way."""

    target: int
    loop: asyncio.AbstractEventLoop
    port: int = 0
    fault: Fault = Fault.NONE
    delay: float = 0.0
    healed: asyncio.Event = field(default_factory=asyncio.Event)
    taken: int = 0
    """Connections that were ever made through it."""
    _links: set["Link"] = field(default_factory=set)

    def set(self, fault: Fault) -> None:
        """From now on; what was dropped or cut stays dead, and has to be made anew."""
        self._call(lambda: self._set(fault))

    def heal(self) -> None:
        self.delay = 0.0
        self.set(Fault.NONE)

    def switch(self, target: int) -> None:
        """Whoever connects from now on gets to another server."""
        self._call(lambda: setattr(self, "target", target))

    def reset(self) -> None:
        """Break what there is, once; new connections are good."""
        self._call(self._reset)

    def _call(self, what: Callable[[], Any]) -> None:
        async def call() -> None:
            what()

        asyncio.run_coroutine_threadsafe(call(), self.loop).result(60)

    def _reset(self) -> None:
        for link in list(self._links):
            link.reset()

    def _set(self, fault: Fault) -> None:
        if fault is Fault.CUT or self.fault is Fault.DROP:
            self._reset()
        self.fault = fault
        waiting, self.healed = self.healed, asyncio.Event()
        waiting.set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as it lasts."""
        self.taken += 1
        link = Link(self, writer)
        self._links.add(link)
        try:
            if self.fault is Fault.CUT:
                return
            while self.fault in (Fault.HOLD, Fault.DROP):
                await self.healed.wait()
            other, link.to_store = await asyncio.open_connection("127.0.0.1", self.target)
            both = [
                asyncio.ensure_future(link.carry(reader, link.to_store, answers=False)),
                asyncio.ensure_future(link.carry(other, writer, answers=True)),
            ]
            _, rest = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for one in rest:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            pass
        finally:
            self._links.discard(link)
            link.reset()


class Frames:
    """The messages in what PostgreSQL says: a letter, four bytes of length, and the rest."""

    def __init__(self) -> None:
        self._begun = False
        self._rest = b""

    def passed(self, piece: bytes, *, deaf: bool) -> bytes:
        """The whole messages there are by now, without the unasked ones if nobody is to hear."""
        if not self._begun and piece in (b"N", b"S"):
            return piece  # whether it speaks TLS, before anything else
        self._begun = True
        data, at, out = self._rest + piece, 0, []
        while len(data) - at >= 5:
            end = at + 1 + int.from_bytes(data[at + 1 : at + 5])
            if end > len(data):
                break
            if not (deaf and data[at : at + 1] == NOTIFICATION):
                out.append(data[at:end])
            at = end
        self._rest = data[at:]
        return b"".join(out)


class Link:
    """One connection through a proxy, with its two directions."""

    def __init__(self, proxy: Proxy, to_node: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.to_node = to_node
        self.to_store: asyncio.StreamWriter | None = None

    async def carry(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        frames = Frames()
        while piece := await source.read(CHUNK):
            if answers:
                piece = frames.passed(piece, deaf=self.proxy.fault is Fault.DEAF)
            if self.proxy.delay:
                await asyncio.sleep(self.proxy.delay)
            while self._held(answers):
                await self.proxy.healed.wait()
            if self.proxy.fault is not Fault.DROP:
                to.write(piece)
                await to.drain()

    def _held(self, answers: bool) -> bool:
        fault = self.proxy.fault
        return fault is Fault.HOLD or (answers and fault is Fault.HOLD_ANSWERS)

    def reset(self) -> None:
        for writer in (self.to_node, self.to_store):
            if writer is None:
                continue
            sock = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class Network:
    """Where proxies live: one loop in one thread, whatever the test itself is doing."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._servers: list[asyncio.Server] = []

    def proxy(self, target: int) -> Proxy:
        return self.run(self._proxy(target))

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    async def _proxy(self, target: int) -> Proxy:
        proxy = Proxy(target=target, loop=self._loop)
        server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        self._servers.append(server)
        return proxy

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def network() -> Iterator[Network]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="network", daemon=True)
    thread.start()
    made = Network(loop)
    try:
        yield made
    finally:
        made.run(made.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
