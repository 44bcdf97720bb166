"""A client that sends at an even pace, whatever the answers take, and notes each one's time.

Run as a process it is told a port, a rate a second, a file of requests and one for what it notes;
it sends until it gets a line, and answers with how much it noted. Instants are of the machine's
monotonic clock.
"""

import asyncio
import gc
import json
import subprocess
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, cycle
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

    def __init__(self, lines: Lines, into: Path) -> None:
        self._lines = lines
        self._into = into

    def stop(self) -> Noted:
        """To be called once."""
        many = self._lines.ask()
        return Noted(noted_in(self._into, many))


@contextmanager
def pacing(port: int, rate: int, requests: Path) -> Iterator[Pacing]:
    into = requests.with_suffix(".noted")
    words = (str(port), str(rate), str(requests), str(into))
    command = [sys.executable, "-m", "benchmarks.paced", *words]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(command, core=BESIDE, **pipes) as process:
        lines = Lines(process, "the paced client")
        lines.read()  # it is connected
        yield Pacing(lines, into)


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
        self._free: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self.noted: list[Answer] = []

    def free(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(self._waiting.popleft(), next(self._requests))
        else:
            self._free.append(connection)

    def due(self, instant: float) -> None:
        if self._free:
            self._free.popleft().send(instant, next(self._requests))
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


def note(answers: Sequence[Answer], into: Path) -> None:
    """Three numbers for each: a line of so many would not go through a pipe at once."""
    with into.open("wb") as file:
        array("d", chain.from_iterable(answers)).tofile(file)


def noted_in(path: Path, many: int) -> list[Answer]:
    numbers = array("d")
    with path.open("rb") as file:
        numbers.fromfile(file, 3 * many)
    return [(due, at, int(status)) for due, at, status in zip(*[iter(numbers)] * 3, strict=True)]


if __name__ == "__main__":
    gc.disable()
    port, rate, path, into = sys.argv[1:]
    answers = uvloop.run(_paced(int(port), int(rate), read(Path(path))))
    note(answers, Path(into))
    print(json.dumps(len(answers)), flush=True)
