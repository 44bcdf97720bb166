"""Scene: signed back-channel deliveries in a second, and in a second of one core."""

import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from urllib.parse import parse_qs

import uvloop
from joserfc import jws
from joserfc.jwk import KeySet

from benchmarks.house import (
    ORIGIN,
    TENANT,
    add_applications,
    application,
    furnish,
    swept,
    temporary_house,
)
from benchmarks.receivers import Receivers, receiving
from lastcall.authority.logout import logout
from lastcall.domain.access import operator
from lastcall.domain.client import Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState
from lastcall.domain.logout import OfTenant
from lastcall.machine import settle_memory
from lastcall.main import Backends
from lastcall.metrics import Metrics
from lastcall.outbox import Worker

APPLICATIONS = 40


async def deliveries(people: int) -> dict[str, float]:
    """A mass logout of so many people, each in every application, and all of its notices told."""
    with receiving(APPLICATIONS) as receivers:
        async with temporary_house() as backends:
            clients = [
                application(backends, number, receivers.uri(number))
                for number in range(APPLICATIONS)
            ]
            await add_applications(backends, clients)
            await furnish(backends, people, clients)
            caller = operator(TENANT, ORIGIN)
            await logout(backends.env, caller, OfTenant(), reason="the end of the day")
            await swept(backends)
            return await _told(backends, receivers, people * APPLICATIONS)


async def _told(backends: Backends, receivers: Receivers, owed: int) -> dict[str, float]:
    metrics, all_told, tried = Metrics(), asyncio.Event(), 0

    def on_tried(client: Client, delivery: Delivery, attempt: Attempt) -> None:
        nonlocal tried
        metrics.tried(client, delivery, attempt)
        tried += 1
        if tried == owed:
            all_told.set()

    worker = Worker(env=backends.env, connectors=backends.connectors, on_tried=on_tried)
    settle_memory()  # as a server does before it serves
    began, cpu = time.perf_counter(), _cpu()
    telling = asyncio.create_task(worker.run())
    await all_told.wait()
    took, cpu = time.perf_counter() - began, _cpu() - cpu
    worker.stop()
    with suppress(asyncio.CancelledError):
        await telling
    depth = backends.env.store.outbox_depth()
    told = receivers.told()
    assert depth[DeliveryState.ACKNOWLEDGED] == told["count"] == owed, (depth, told["count"])
    _verify(backends, told["last"])
    return {"deliveries": owed, "per_second": owed / took, "per_core_second": owed / cpu}


def _cpu() -> float:
    """Seconds this process has had, all its threads and the kernel on its behalf."""
    used = os.times()
    return used.user + used.system


def _verify(backends: Backends, body: str) -> None:
    """What arrived is signed by the published key."""
    keys = KeySet.import_key_set(json.loads(json.dumps(backends.signer.jwks())))
    jws.deserialize_compact(parse_qs(body)["logout_token"][0], keys, algorithms=["ES256"])


if __name__ == "__main__":
    print(json.dumps(uvloop.run(deliveries(int(sys.argv[1])))))
