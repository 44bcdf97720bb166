"""Receivers of logout notices, all in one process: each on an address of its own.

They answer 200 and keep the connection; those under `/hang` never answer. A line on standard input
is answered with what came in so far; the end of standard input ends the process.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from benchmarks.processes import BESIDE, started

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n"
LENGTH = b"content-length: "


def address(number: int) -> str:
    """One of this machine's own addresses for each receiver: nothing is shared between them."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


class Receivers:
    """`receivers`: how many there are. All have the same port."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.port = self._line()

    def uri(self, number: int, *, hangs: bool = False) -> str:
        path = "hang" if hangs else "told"
        return f"http://{address(number)}:{self.port}/{path}"

    def told(self) -> Any:
        """`count` of requests, `first` instant at each address, and the `last` body."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def receiving(receivers: int) -> Iterator[Receivers]:
    command = [sys.executable, "-m", "benchmarks.receivers", str(receivers)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(command, core=BESIDE, **pipes) as process:
        yield Receivers(process)


class Sink:
    def __init__(self) -> None:
        self.count = 0
        self.first: dict[str, float] = {}
        self.last = b""


class Receiving(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._address = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._sink.first.setdefault(self._address, time.monotonic())
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(LENGTH) + len(LENGTH)
            stop = end + 4 + int(head[at:].split(b"\r\n", 1)[0])
            if len(self._buffer) < stop:
                return
            self._sink.count += 1
            self._sink.last = self._buffer[end + 4 : stop]
            self._buffer = self._buffer[stop:]
            if not head.startswith(b"post /hang"):
                self._transport.write(ANSWER)


async def _serve(receivers: int) -> None:
    loop, sink = asyncio.get_running_loop(), Sink()
    hosts = [address(number) for number in range(receivers)]
    first = await loop.create_server(lambda: Receiving(sink), hosts[0], 0, backlog=4_096)
    port = first.sockets[0].getsockname()[1]
    await loop.create_server(lambda: Receiving(sink), hosts[1:], port, backlog=4_096)
    print(port, flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        told = {"count": sink.count, "first": sink.first, "last": sink.last.decode()}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
