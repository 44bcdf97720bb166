"""Scene: a logout that a thousand applications are owed, of which some hang."""

import asyncio
import json
import sys
import time
from contextlib import suppress

import uvloop

from benchmarks.house import (
    ORIGIN,
    TENANT,
    add_applications,
    application,
    furnish,
    temporary_house,
)
from benchmarks.receivers import Receivers, address, receiving
from lastcall.authority.logout import logout
from lastcall.domain.access import operator
from lastcall.domain.client import Client
from lastcall.domain.delivery import Attempt, Delivery
from lastcall.domain.logout import OneSession
from lastcall.machine import settle_memory
from lastcall.main import Backends
from lastcall.outbox import Worker

ONE_IN = 20
"""Hangs: five in a hundred."""


async def hanging(applications: int) -> dict[str, float]:
    with receiving(applications) as receivers:
        async with temporary_house() as backends:
            clients = [
                application(
                    backends,
                    number,
                    receivers.uri(number, hangs=number % ONE_IN == 0),
                    always=True,
                )
                for number in range(applications)
            ]
            await add_applications(backends, clients)
            return await _told(backends, receivers, applications)


async def _told(backends: Backends, receivers: Receivers, applications: int) -> dict[str, float]:
    [one] = await furnish(backends, 1)
    healthy = applications - len(range(0, applications, ONE_IN))
    told: list[float] = []
    all_told = asyncio.Event()

    def on_tried(_client: Client, delivery: Delivery, _attempt: Attempt) -> None:
        if delivery.settled_at is not None:
            told.append(time.monotonic())
            if len(told) == healthy:
                all_told.set()

    worker = Worker(env=backends.env, connectors=backends.connectors, on_tried=on_tried)
    settle_memory()
    telling = asyncio.create_task(worker.run())
    await asyncio.sleep(0.1)  # it has nothing to do yet, and naps
    began = time.monotonic()
    await logout(backends.env, operator(TENANT, ORIGIN), OneSession(session=one.session.id))
    answered = time.monotonic()
    await all_told.wait()
    tried = sorted(at - began for at in receivers.told()["first"].values())
    assert len(tried) == applications, f"{len(tried)} of {applications} heard of it"
    assert address(0) in receivers.told()["first"]
    telling.cancel()  # those that hang are not waited for
    with suppress(asyncio.CancelledError):
        await telling
    return {
        "answered_ms": 1_000 * (answered - began),
        "first_try_p50_ms": 1_000 * tried[len(tried) // 2],
        "first_try_p99_ms": 1_000 * tried[len(tried) * 99 // 100],
        "healthy_told_ms": 1_000 * (told[-1] - began),
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(hanging(int(sys.argv[1])))))
