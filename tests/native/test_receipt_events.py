"""Watching a receipt over the native API: as it changes, and no longer than one is let in."""

import asyncio
import json

from lastcall.dialects.native import Settings
from lastcall.domain.delivery import DeliveryState
from lastcall.domain.types import ReceiptId
from tests.authority.test_receipts import application, settle_all
from tests.native.client import Client, content
from tests.world import TENANT, make_world


async def told() -> tuple[Client, str, ReceiptId]:
    """An administrator who has logged john out of two applications that have not answered."""
    world = await make_world()
    client = Client(world, Settings())
    clients = [application("crm", always=True), application("wiki", always=True)]
    async with world.env.store.transaction(TENANT) as tx:
        for one in clients:
            await tx.put_client(one)
    await client.log_in("john")
    admin = await client.log_in("admin")
    scope = {"scope": {"kind": "subject", "subject": "u-john"}, "reason": "left"}
    done = await client.ask("POST", "/v1/logout", scope, admin)
    return client, admin, ReceiptId(content(done)["id"])


def read(piece: bytes) -> tuple[str, dict[str, object]]:
    event, data = piece.decode().rstrip("\n").split("\n")
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_every_change_until_it_is_finished() -> None:
    client, admin, ref = await told()
    reply = await client.ask("GET", f"/v1/receipts/{ref}/events", token=admin)
    assert reply.stream is not None
    name, first = read(await anext(reply.stream))
    assert (name, first["totals"]) == ("receipt", {"queued": 2})
    await settle_all(client.world, ref, DeliveryState.VERIFIED)
    name, last = read(await anext(reply.stream))
    assert (name, last["totals"], last["finished"]) == ("receipt", {"verified": 2}, True)
    assert read(await anext(reply.stream)) == ("end", {})


async def test_the_stream_closes_with_the_session() -> None:
    client, admin, ref = await told()
    reply = await client.ask("GET", f"/v1/receipts/{ref}/events", token=admin)
    assert reply.stream is not None
    await anext(reply.stream)
    await client.ask("POST", "/v1/logout", token=admin)
    assert read(await anext(reply.stream)) == ("closed", {"code": "not-authenticated"})


async def test_waiting_for_the_end() -> None:
    client, admin, ref = await told()
    waiting = asyncio.create_task(client.ask("GET", f"/v1/receipts/{ref}?wait=30", token=admin))
    await asyncio.sleep(0.01)
    await settle_all(client.world, ref, DeliveryState.ACKNOWLEDGED)
    assert content(await asyncio.wait_for(waiting, 60))["finished"]


async def test_an_unfinished_receipt_is_not_signed() -> None:
    client, admin, ref = await told()
    reply = await client.ask("GET", f"/v1/receipts/{ref}/signed", token=admin)
    assert (reply.status, content(reply)["code"]) == (409, "unfinished")
    await settle_all(client.world, ref, DeliveryState.ACKNOWLEDGED)
    assert (await client.ask("GET", f"/v1/receipts/{ref}/signed", token=admin)).status == 200


async def test_whether_somebody_is_out() -> None:
    client, admin, ref = await told()
    path = "/v1/subjects/u-john/status"
    found = content(await client.ask("GET", path, token=admin))
    assert (found["out"], len(found["left"])) == (False, 2)
    await settle_all(client.world, ref, DeliveryState.ACKNOWLEDGED)
    assert content(await client.ask("GET", path, token=admin))["out"]
