"""Scene: three nodes on one PostgreSQL. How soon do all know of a logout, what do they bear?"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from typing import Any

import uvloop

from tests.nodes.asking import Line, Unanswered
from tests.nodes.house import LEASE, PASSWORD, House, Node, house, person
from tests.nodes.proxy import Fault
from tests.postgres.cluster import cluster, database

AT_ONCE = 64
"""Clients that log people out at the same time."""

QUIET = {"LASTCALL__SERVER__LOG_LEVEL": "info"}
WRK = ("wrk", "-t1", "-c16", "--latency")


async def token(line: Line, number: int) -> str:
    body = {"username": person(number % 10), "password": PASSWORD}
    reply = await line.ask("POST", "/v1/login", body=body)
    assert reply.status == 200, reply.body
    return str(reply.json()["token"])


async def tokens(nodes: Sequence[Node], count: int) -> list[str]:
    """Sessions that every one of the nodes has answered for."""
    waiting = list(range(count))
    made: list[str] = []

    async def make(line: Line) -> None:
        while waiting:
            made.append(await token(line, waiting.pop()))
        line.close()

    await asyncio.gather(*(make(Line(nodes[n % len(nodes)].url)) for n in range(12)))
    for node in nodes:
        line = Line(node.url)
        for one in made:
            assert (await line.ask("GET", "/v1/check", one)).status == 204
        line.close()
    return made


async def until_refused(line: Line, one: str, began: float) -> float:
    """Seconds from `began` until this node's first refusal."""
    while (await line.ask("GET", "/v1/check", one)).status != 401:
        pass
    return time.monotonic() - began


async def spread(nodes: Sequence[Node], some: Sequence[str]) -> dict[str, float]:
    """One logout after the other, and all nodes asked about it all the time."""
    lines = [Line(node.url) for node in nodes]
    asking = [Line(node.url) for node in nodes]
    answered: list[float] = []
    known: list[float] = []
    for number, one in enumerate(some):
        began = time.monotonic()
        watching = [asyncio.create_task(until_refused(line, one, began)) for line in asking]
        reply = await lines[number % len(lines)].ask("POST", "/v1/logout", one, body={})
        answered.append(time.monotonic() - began)
        assert reply.status == 200, reply.body
        known.append(max(await asyncio.gather(*watching)))
    for line in (*lines, *asking):
        line.close()
    return {
        "answered_p50_ms": of(answered, 50),
        "answered_p99_ms": of(answered, 99),
        "everywhere_p50_ms": of(known, 50),
        "everywhere_p99_ms": of(known, 99),
    }


def of(seconds: list[float], percent: int) -> float:
    return 1_000 * sorted(seconds)[len(seconds) * percent // 100]


async def logouts(nodes: Sequence[Node], some: Sequence[str]) -> float:
    """Logouts a second, of many clients at once, spread over the nodes."""
    waiting = list(some)

    async def end(line: Line) -> None:
        while waiting:
            reply = await line.ask("POST", "/v1/logout", waiting.pop(), body={})
            assert reply.status == 200, reply.body
        line.close()

    began = time.monotonic()
    await asyncio.gather(*(end(Line(nodes[n % len(nodes)].url)) for n in range(AT_ONCE)))
    return len(some) / (time.monotonic() - began)


def checks(nodes: Sequence[Node], one: str, seconds: int) -> list[float]:
    """Checks a second at each of the nodes, all asked at once."""
    header = ("-H", f"Authorization: Bearer {one}")
    asked = [
        subprocess.Popen(
            [*WRK, f"-d{seconds}s", *header, f"{node.url}/v1/check"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for node in nodes
    ]
    told = [process.communicate(timeout=seconds + 30)[0] for process in asked]
    assert not any("Non-2xx" in text for text in told), told
    lines = [line for text in told for line in text.splitlines() if "Requests/sec" in line]
    return [float(line.split()[-1]) for line in lines]


async def first_logout(node: Node, one: str) -> float:
    """How long the logout takes that finds another node gone."""
    line, began = Line(node.url), time.monotonic()
    reply = await line.ask("POST", "/v1/logout", one, body={})
    assert reply.status == 200, reply.body
    line.close()
    return 1_000 * (time.monotonic() - began)


async def accepted_for(node: Node, one: str) -> float:
    """Milliseconds until a node that hears of nothing stops accepting."""
    line, began, last = Line(node.url), time.monotonic(), 0.0
    while time.monotonic() - began < LEASE + 1:
        try:
            async with asyncio.timeout(0.2):
                if (await line.ask("GET", "/v1/check", one)).status == 204:
                    last = time.monotonic() - began
        except (Unanswered, TimeoutError):
            continue
    line.close()
    return 1_000 * last


async def measured(there: House, count: int, many: int, seconds: int) -> dict[str, Any]:
    nodes = there.nodes
    told: dict[str, Any] = {"all_well": await spread(nodes, await tokens(nodes, count))}
    told["logouts_per_second"] = await logouts(nodes, await tokens(nodes, many))
    if which("wrk"):
        [one] = await tokens(nodes, 1)
        told["checks_one_node"] = await asyncio.to_thread(checks, nodes[:1], one, seconds)
        told["checks_all_nodes"] = await asyncio.to_thread(checks, nodes, one, seconds)
    two = nodes[:2]
    for name in ("stopped", "cut_off"):
        some = await tokens(nodes, count + 1)
        kept = (await tokens(nodes, 1))[0]
        if name == "stopped":
            nodes[2].freeze()
        else:
            nodes[2].proxy.set(Fault.DROP)
        island = asyncio.create_task(accepted_for(nodes[2], kept))
        first = await first_logout(nodes[0], some.pop())
        beside = await spread(two, some)
        beside["first_answered_ms"] = first
        last = await island
        if name == "cut_off":
            beside["accepted_for_ms"] = last
        beside["logouts_per_second"] = await logouts(two, await tokens(two, many // 2))
        told[name] = beside
        await asyncio.to_thread(there.mend)
        await asyncio.sleep(LEASE)
    return told


def main(count: int, many: int, seconds: int) -> dict[str, Any]:
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lastcall-bench-")))
        server = stack.enter_context(cluster(fsync="on", shared_buffers="128MB"))
        name = stack.enter_context(database(server))
        environ = dict.fromkeys(range(3), QUIET)
        there = stack.enter_context(house(folder, server, name, environ=environ))
        return uvloop.run(measured(there, count, many, seconds))


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
