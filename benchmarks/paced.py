"""A client that sends at an even pace, whatever the answers take, and notes each one's time.

Run as a process it is told a port, a rate a second and a file of requests; it sends until it gets a
line, and answers that with all it noted. Instants are of the machine's monotonic clock.
"""

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.processes import BESIDE, Lines, Unmeasured, started
from benchmarks.wrk import HOST

CONNECTIONS = 32
REFUSED = 401

Answer = tuple[float, float, int]
"""When it was due, when it was answered, with which status."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What a paced client saw, in the order of the answers."""

    answers: Sequence[Answer]

    def between(self, begin: float, end: float) -> "Noted":
        return Noted([one for one in self.answers if begin <= one[0] and one[1] <= end])

    def percentile(self, which: int) -> float:
        """In milliseconds."""
        took = sorted(1_000 * (answered - due) for due, answered, _ in self.answers)
        if not took:
            raise Unmeasured("no check was answered in that time")
        return took[len(took) * which // 100]

    def last_allowed(self) -> float:
        """When the last answer came that was no refusal."""
        good = (answered for _, answered, status in self.answers if status != REFUSED)
        return max(good, default=0.0)


class Pacing:
    """A paced client at work."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._noted: Noted | None = None

    def stop(self) -> Noted:
        if self._noted is None:
            self._noted = Noted([tuple(one) for one in self._lines.ask()])
        return self._noted


@contextmanager
def pacing(port: int, rate: int, requests: Path) -> Iterator[Pacing]:
    command = [sys.executable, "-m", "benchmarks.paced", str(port), str(rate), str(requests)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(command, core=BESIDE, **pipes) as process:
        lines = Lines(process, "the paced client")
        lines.read()  # it is connected
        yield Pacing(lines)


class Connection(asyncio.Protocol):
    """One request at a time; answers without a body, or with one of a length that is told."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._buffer = b""
        self._due = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._client.free(self)

    def send(self, due: float, request: bytes) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._client.noted.append((self._due, time.monotonic(), int(head[9:12])))
        self._buffer = b""
        self._client.free(self)


class Client:
    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = cycle(requests)
        self._free: list[Connection] = []
        self._waiting: deque[float] = deque()
        self.noted: list[Answer] = []

    def free(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(self._waiting.popleft(), next(self._requests))
        else:
            self._free.append(connection)

    def due(self, instant: float) -> None:
        if self._free:
            self._free.pop().send(instant, next(self._requests))
        else:
            self._waiting.append(instant)


def _length(head: bytes) -> int:
    _, found, after = head.lower().partition(b"\r\ncontent-length:")
    return int(after.split(b"\r\n", 1)[0]) if found else 0


async def _paced(port: int, rate: int, requests: Sequence[bytes]) -> list[Answer]:
    loop, client = asyncio.get_running_loop(), Client(requests)
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Connection(client), HOST, port)
    print(json.dumps("connected"), flush=True)
    told = loop.run_in_executor(None, sys.stdin.readline)
    due = time.monotonic()
    while not told.done():
        client.due(time.monotonic())
        due = max(due + 1 / rate, time.monotonic() - 0.01)
        # uvloop's timers have a resolution of a millisecond: several fall due together.
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return client.noted


def read(path: Path) -> list[bytes]:
    """Requests as `wrk.written` wrote them."""
    found: list[bytes] = []
    with path.open("rb") as file:
        while line := file.readline():
            found.append(file.read(int(line)))
    return found


if __name__ == "__main__":
    gc.disable()
    port, rate, path = sys.argv[1:]
    print(json.dumps(uvloop.run(_paced(int(port), int(rate), read(Path(path))))), flush=True)
