"""Scene: a guard inside an application: what a check costs, and how late a logout is heard of."""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.house import Crowd, config_in, fill, house, token
from benchmarks.processes import BESIDE, free_port, started, wait_for
from lastcall.client import Identity, SessionGuard
from lastcall.client.asgi import LastcallMiddleware
from lastcall.client.cache import Answer
from lastcall.client.feed import Event, Position, Reset

REMEMBERED = 100_000
SERVICE, SECRET = "bench", "a secret of the benchmarks alone"
HERE = Position("bench", 1)
TURNS = 3
"""Rounds of checks of everything, in another order each; the best counts."""


class EverybodyIsIn:
    """An authority in the same process, to fill a guard's memory without a network."""

    def __init__(self) -> None:
        self._number = 0

    async def position(self, seconds: float) -> Position:
        return HERE

    async def introspect(
        self, token: str, applied: Position | None, *, use: bool, seconds: float
    ) -> Answer:
        self._number += 1
        who = Identity(
            subject=f"u_{self._number:016d}",
            username=f"person{self._number}",
            session=f"s{self._number:016d}",
            tenant="default",
            role="monitor",
            dialect="native",
            amr=("pwd",),
        )
        return Answer(HERE, who, 36_000.0)

    async def feed(self, applied: Position | None) -> AsyncGenerator[Event, None]:
        yield Reset(HERE)
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing to close."""


async def check_cost(sessions: int) -> float:
    """Processor microseconds for a check from memory, in no order a processor could learn."""
    tokens = [token(number) for number in range(sessions)]
    async with SessionGuard(authority=EverybodyIsIn(), lease=3_600, entries=sessions) as guard:
        for one in tokens:
            await guard.check(one)
        took = []
        for turn in range(TURNS):
            random.Random(turn).shuffle(tokens)
            began = time.process_time()
            for one in tokens:
                guard.check_now(one)
            took.append(time.process_time() - began)
        assert isinstance(guard.check_now(tokens[0]), Identity)
    return min(took) / sessions * 1_000_000


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Requests:
    """An application behind the middleware, asked without a network in front of it."""

    def __init__(self, guard: SessionGuard) -> None:
        self._app = LastcallMiddleware(hello, guard)

    async def status(self, bearer: str) -> int:
        found: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                found.append(message["status"])

        headers = [(b"authorization", f"Bearer {bearer}".encode())]
        scope = {"type": "http", "path": "/", "headers": headers}
        await self._app(scope, asyncio.Event().wait, send)
        return found[0]


async def until_refused(url: str, logouts: int) -> list[float]:
    """Milliseconds from a logout's answer to the first request that is refused, in order."""
    late: list[float] = []
    async with (
        SessionGuard(url, SERVICE, SECRET) as guard,
        aiohttp.ClientSession() as http,
    ):
        requests = Requests(guard)
        for number in range(logouts):
            bearer = token(number)
            assert await requests.status(bearer) == 200
            headers = {"Authorization": f"Bearer {bearer}"}
            async with http.post(f"{url}/v1/logout", headers=headers) as reply:
                assert reply.status == 200
            answered = time.perf_counter()
            while (status := await requests.status(bearer)) == 200:  # noqa: ASYNC110  # as a client
                await asyncio.sleep(0)
            assert status == 401
            late.append((time.perf_counter() - answered) * 1_000)
    return sorted(late)


async def furnished(folder: Path, sessions: int) -> None:
    async with house(folder) as backends:
        await fill(backends, Crowd(sessions=sessions, people=sessions))


def measured(logouts: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="lastcall-bench-") as name:
        folder, port = Path(name), free_port()
        asyncio.run(furnished(folder, logouts))
        config = config_in(folder, port)
        lastcall = Path(sys.executable).with_name("lastcall")
        command: list[str | Path] = [lastcall, "serve", "--config", config]
        environ = {**os.environ, "LASTCALL__DIALECTS__NATIVE__SERVICES__BENCH__SECRET": SECRET}
        with started(command, core=BESIDE, env=environ) as process:
            wait_for(process, port)
            late = asyncio.run(until_refused(f"http://127.0.0.1:{port}", logouts))
    return {
        "check_us": asyncio.run(check_cost(REMEMBERED)),
        "refused_p50_ms": late[len(late) // 2],
        "refused_p99_ms": late[len(late) * 99 // 100],
    }


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]))))
