"""A client that does nothing but ask: raw sockets, one request at a time on each connection."""

import asyncio
import gc
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass(slots=True)
class Answers:
    """What came back: the time of each answer in seconds, and how often which status."""

    seconds: float = 0.0
    times: "array[float]" = field(default_factory=lambda: array("d"))
    statuses: Counter[bytes] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        """In seconds; 0 without answers."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Lost(Exception):
    """The server closed a connection it should have kept."""


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is complete."""

    def __init__(self, requests: Iterator[bytes], answers: Answers) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._answers = answers
        self._begun = b""
        self._sent = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def begin(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._finish()
            return
        self._sent = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._begun:
            data = self._begun + data
        if not complete(data):
            self._begun = data
            return
        self._begun = b""
        answers = self._answers
        answers.times.append(perf_counter() - self._sent)
        answers.statuses[data[9:12]] += 1
        self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(Lost("the server closed a connection"))

    def _finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


def complete(data: bytes) -> bool:
    """Whether an answer is there: its head, and a body of the length that it tells."""
    end = data.find(HEAD_END)
    if end < 0:
        return False
    if data.startswith(b"204", 9):
        return True
    head = data[:end].lower()
    at = head.find(LENGTH)
    length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return len(data) >= end + len(HEAD_END) + length


async def ask(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Answers:
    """As many requests as get an answer in that time, or as there are. Raises `Lost`, `OSError`."""
    answers = Answers()
    loop = asyncio.get_running_loop()
    until = _until(requests, seconds)
    opened = [
        await loop.create_connection(lambda: Connection(until, answers), "127.0.0.1", port)
        for _ in range(connections)
    ]
    gc.disable()
    try:
        began = perf_counter()
        for _, connection in opened:
            connection.begin()
        over = (connection.over for _, connection in opened)
        ended = await asyncio.gather(*over, return_exceptions=True)
        answers.seconds = perf_counter() - began
    finally:
        gc.enable()
        for transport, _ in opened:
            transport.close()
        await asyncio.sleep(0)  # so that they are
    for error in ended:
        if error is not None:
            raise error
    return answers


def _until(requests: Iterator[bytes], seconds: float) -> Iterator[bytes]:
    """From the first one on."""
    end = perf_counter() + seconds
    for request in requests:
        if perf_counter() >= end:
            return
        yield request


def request(method: str, path: str, token: str) -> bytes:
    length = "" if method == "GET" else "Content-Length: 0\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    return f"{head}Authorization: Bearer {token}\r\n{length}\r\n".encode("ascii")
