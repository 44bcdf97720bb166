"""Receivers: small real HTTP servers on this machine, honest ones and every kind of liar."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

FOREVER = 3_600.0

REASONS = {200: "OK", 202: "Accepted", 204: "No Content", 302: "Found", 400: "Bad Request"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came in; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def form(self) -> Mapping[str, list[str]]:
        return parse_qs(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request at a receiver, `number` of all it ever had, and the means to answer it."""

    number: int
    seen: Seen
    writer: asyncio.StreamWriter = field(repr=False)

    async def reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}"]
        if status != 204:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        reset(self.writer)


Behaviour = Callable[[Exchange], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Where it listens, and everything it has seen."""

    host: str
    port: int
    secure: bool
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/", host: str = "") -> str:
        return f"http{'s' if self.secure else ''}://{host or self.host}:{self.port}{path}"


@asynccontextmanager
async def receiver(
    behave: Behaviour,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    greet: Callable[[asyncio.StreamWriter], None] | None = None,
) -> AsyncIterator[Receiver]:
    """A receiver for as long as the block lasts. `greet` may end a connection at its beginning."""
    here: list[Receiver] = []
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        here[0].connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if greet is not None:
                greet(writer)
                return
            while not writer.is_closing() and (seen := await _request(reader)) is not None:
                here[0].seen.append(seen)
                await behave(Exchange(number=len(here[0].seen), seen=seen, writer=writer))
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(connected, host, port, ssl=tls)
    bound = server.sockets[0].getsockname()
    here.append(Receiver(host=bound[0], port=bound[1], secure=tls is not None))
    try:
        yield here[0]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method=method, target=target, headers=headers, body=body)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answers(
    *statuses: int, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Behaviour:
    """The first status to the first request, and so on; the last one to all further ones."""

    async def behave(exchange: Exchange) -> None:
        status = statuses[min(exchange.number, len(statuses)) - 1]
        await exchange.reply(status, b"" if status == 204 else body, headers)

    return behave


async def hangs(exchange: Exchange) -> None:
    await asyncio.sleep(FOREVER)


async def drips(exchange: Exchange) -> None:
    """A byte now and then, never all of them."""
    await exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while True:
        await exchange.raw(b"x")
        await asyncio.sleep(0.05)


async def drips_headers(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.raw(b"X-Drip: x\r\n")
        await asyncio.sleep(0.05)


async def floods(exchange: Exchange) -> None:
    """A body without end, in chunks."""
    await exchange.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await exchange.raw(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


async def boasts(exchange: Exchange) -> None:
    """A body announced as a gigabyte."""
    await exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nxxx")
    await asyncio.sleep(FOREVER)


async def floods_headers(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.raw(b"X-Flood: x\r\n" * 1_000)


async def one_long_header(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await exchange.raw(b"x" * 0x4000)


async def stalls_after_100(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
    await asyncio.sleep(FOREVER)


async def talks_nonsense(exchange: Exchange) -> None:
    await exchange.raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    exchange.close()


async def answers_no_number(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n")


async def loses_the_answer(exchange: Exchange) -> None:
    """The request is obeyed, and the connection closed without a word."""
    exchange.close()


async def resets_after_reading(exchange: Exchange) -> None:
    exchange.reset()


async def cuts_the_answer(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    exchange.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Liar:
    """A way to answer badly. `reason` of the missing answer, or the `statuses` given in turn."""

    behave: Behaviour
    statuses: Sequence[int] = ()
    reason: str = ""


def liars() -> Mapping[str, Liar]:
    """All that answer badly, but over a connection that stands; fresh ones with each call."""
    elsewhere = {"Location": "http://169.254.169.254/latest/meta-data/"}
    return {
        "202": Liar(behave=answers(202), statuses=(202,)),
        "204": Liar(behave=answers(204), statuses=(204,)),
        "302": Liar(behave=answers(302, headers=elsewhere), statuses=(302,)),
        "400 on repeat": Liar(behave=answers(204, 400), statuses=(204, 400)),
        "500 then 200": Liar(behave=answers(500, 200), statuses=(500, 200)),
        "hang": Liar(behave=hangs, reason="timeout"),
        "slow drip": Liar(behave=drips, reason="timeout"),
        "slow headers": Liar(behave=drips_headers, reason="timeout"),
        "stalls after 100": Liar(behave=stalls_after_100, reason="timeout"),
        "endless body": Liar(behave=floods, reason="too-large"),
        "huge body": Liar(behave=boasts, reason="too-large"),
        "endless headers": Liar(behave=floods_headers, reason="protocol"),
        "one long header": Liar(behave=one_long_header, reason="protocol"),
        "no HTTP": Liar(behave=talks_nonsense, reason="protocol"),
        "no status": Liar(behave=answers_no_number, reason="protocol"),
        "answer lost": Liar(behave=loses_the_answer, reason="lost"),
        "accept then reset": Liar(behave=resets_after_reading, reason="lost"),
        "answer cut": Liar(behave=cuts_the_answer, reason="lost"),
    }


@dataclass(slots=True)
class Application:
    """An application with sessions: `POST /logout` ends those named, if it is `honest`.

    `GET /sessions/SID` answers 200 while that session lives and 401 after. `naming` reads from a
    request whom it names: a sid, an account, or nobody.
    """

    naming: Callable[[Seen], str]
    honest: bool = True
    status: int = 200
    alive: set[str] = field(default_factory=set)

    async def __call__(self, exchange: Exchange) -> None:
        seen = exchange.seen
        if seen.method == "GET" and seen.path.startswith("/sessions/"):
            sid = unquote(seen.path.removeprefix("/sessions/"))
            await exchange.reply(200 if sid in self.alive else 401)
            return
        if self.honest:
            self.alive.discard(self.naming(seen))
        await exchange.reply(self.status)
