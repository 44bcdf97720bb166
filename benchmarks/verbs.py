"""Scene: what a durable logout costs, with and without applications to be told; and a login."""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from statistics import median, quantiles
from typing import Any

import uvloop

from benchmarks import disk
from benchmarks.house import (
    ORIGIN,
    Furnished,
    add_applications,
    application,
    furnish,
    mint,
    temporary_house,
)
from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import Start, login
from lastcall.authority.logout import logout
from lastcall.domain.logout import OneSession
from lastcall.domain.session import Lifetime
from lastcall.domain.subject import caller_of
from lastcall.domain.types import HOUR, Duration, Kind
from lastcall.machine import settle_memory
from lastcall.main import Backends
from lastcall.ports import Env

JOINED = (0, 1, 2, 3, 5)
"""Applications in a session that ends."""

AT_ONCE = 64
BLOCKS = 4
"""The figures take turns this often, each with its share."""

NOWHERE = "http://127.0.0.1:9/"
"""Nobody is told here: the worker does not run, the notices are written and stay."""

Timed = list[float]


class NoHash:
    """Passwords without the cost of a slow hash, which is the same whoever checks them."""

    async def hash(self, digest: str) -> str:
        return digest

    async def verify(self, encoded: str, digest: str) -> bool:
        return encoded == digest


async def verbs(each: int) -> dict[str, Any]:
    """So many of everything; one at a time, and at once."""
    async with temporary_house() as backends:
        clients = [application(backends, number, NOWHERE) for number in range(max(JOINED))]
        await add_applications(backends, clients)
        people: dict[int, list[Furnished]] = {}
        for place, joined in enumerate(JOINED):
            first = place * 2 * each
            people[joined] = await furnish(backends, 2 * each, clients[:joined], first=first)
        settle_memory()
        return {
            "alone": await _alone(backends.env, {n: some[:each] for n, some in people.items()}),
            **await _at_once(backends, {n: some[each:] for n, some in people.items()}),
        }


async def _alone(env: Env, people: dict[int, list[Furnished]]) -> dict[str, dict[str, float]]:
    """One logout at a time, the kinds in random order."""
    order = [(joined, one) for joined, some in people.items() for one in some]
    random.Random(7).shuffle(order)
    times: dict[int, Timed] = {joined: [] for joined in people}
    for joined, one in order:
        began = time.perf_counter()
        await _log_out(env, one)
        times[joined].append(time.perf_counter() - began)
    return {str(joined): _in_ms(some) for joined, some in times.items()}


async def _at_once(backends: Backends, people: dict[int, list[Furnished]]) -> dict[str, Any]:
    """Sixty-four logouts at a time, blocks of the kinds in turn, and beside them the disk."""
    env = backends.env
    without_hash = replace(env, passwords=NoHash())
    times: dict[int, Timed] = {joined: [] for joined in people}
    rates: dict[int, list[float]] = {joined: [] for joined in people}
    logins: list[float] = []
    syncs: list[float] = []
    for block in range(BLOCKS):
        syncs += disk.syncs(50)
        for joined, some in people.items():
            share = some[block::BLOCKS]
            rate = await _drive(lambda one: _log_out(env, one), share, times[joined])
            rates[joined].append(rate)
        share = people[0][block::BLOCKS]
        logins.append(await _drive(lambda one: _log_in(without_hash, one), share, []))
    return {
        "at_once": {
            str(joined): {**_in_ms(times[joined]), "per_second": median(rates[joined])}
            for joined in people
        },
        "logins_per_second": median(logins),
        "syncs_per_second": 1 / median(syncs),
    }


async def _drive(
    verb: Callable[[Furnished], Awaitable[object]], people: Sequence[Furnished], times: Timed
) -> float:
    """How many a second."""
    waiting = iter(people)
    began = time.perf_counter()
    await asyncio.gather(*(_one_client(verb, waiting, times) for _ in range(AT_ONCE)))
    return len(people) / (time.perf_counter() - began)


async def _one_client(
    verb: Callable[[Furnished], Awaitable[object]], waiting: Iterable[Furnished], times: Timed
) -> None:
    for one in waiting:
        began = time.perf_counter()
        await verb(one)
        times.append(time.perf_counter() - began)


async def _log_out(env: Env, one: Furnished) -> None:
    caller = caller_of(one.subject, ORIGIN, one.session)
    await logout(env, caller, OneSession(session=one.session.id))


async def _log_in(env: Env, one: Furnished) -> None:
    number = int(one.subject.username.removeprefix("person"))
    origin = replace(ORIGIN, address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    proven = await prove(
        env,
        one.subject.tenant,
        origin,
        Credentials(name=one.subject.username, digest=one.subject.password_hash),
    )
    lifetime = Lifetime(idle=None, absolute=Duration(HOUR))
    await login(env, origin, proven, Start(kind=Kind.API, lifetime=lifetime, mint=mint))


def _in_ms(times: Timed) -> dict[str, float]:
    cuts = quantiles(times, n=100)
    return {"p50_ms": 1_000 * cuts[49], "p99_ms": 1_000 * cuts[98]}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(verbs(int(sys.argv[1])))))
