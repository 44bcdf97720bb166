"""Scene: a whole tenant logged out: until the last is refused, and until all rows are ended.

Without the wire: a clock beside the sweep tells for how long at a time it has the event loop.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

import uvloop

from benchmarks.crowd import gather
from benchmarks.house import ORIGIN, TENANT, house, token
from lastcall.authority.logout import logout
from lastcall.authority.sweep import end_covered, tidy
from lastcall.authority.validate import validate
from lastcall.background import repeated
from lastcall.domain.access import operator
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.logout import OfTenant
from lastcall.machine import settle_memory
from lastcall.main import Backends
from lastcall.ports import Env

SAMPLED = 1_000


async def sweeping(sessions: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="lastcall-bench-") as folder:
        async with house(Path(folder)) as backends:
            await gather(backends, sessions)
            settle_memory()
            return await _swept(backends, sessions)


async def _swept(backends: Backends, sessions: int) -> dict[str, Any]:
    env = backends.env
    idle = await _delays(asyncio.create_task(asyncio.sleep(1)))
    began = time.perf_counter()
    await logout(env, operator(TENANT, ORIGIN), OfTenant())
    answered = time.perf_counter() - began
    refused = await _refused(env, sessions)
    sweeper = asyncio.create_task(
        repeated({"ends": lambda: end_covered(env), "rest": lambda: tidy(env)})
    )
    while_swept = await _delays(asyncio.create_task(_until_ended(env)))
    ended = time.perf_counter() - began
    sweeper.cancel()
    return {
        "sessions": sessions,
        "logout_ms": 1_000 * answered,
        "refused": refused,
        "ended_seconds": ended,
        "loop_idle": idle,
        "loop_swept": while_swept,
    }


async def _refused(env: Env, sessions: int) -> int:
    """Of a sample over all of them; it would fail here if any were not."""
    refused = 0
    for number in range(0, sessions, max(1, sessions // SAMPLED)):
        try:
            await validate(env, TENANT, token(number), ORIGIN, dialects=None)
        except NotAuthenticated:
            refused += 1
        else:
            raise AssertionError(f"session {number} is not refused")
    return refused


async def _until_ended(env: Env) -> None:
    while await env.store.unswept():  # noqa: ASYNC110 - the sweep tells nobody
        await asyncio.sleep(0.005)


async def _delays(until: "asyncio.Task[Any]") -> dict[str, float]:
    """How much later than asked for the loop comes back, in milliseconds."""
    late: list[float] = []
    while not until.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append(1_000 * (time.perf_counter() - began) - 1)
    cuts = quantiles(late, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "longest_ms": max(late)}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(sweeping(int(sys.argv[1])))))
