"""Answers that go on: piece by piece, only so many at once, and no longer than anybody listens."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from lastcall.domain.errors import Busy
from lastcall.http import streaming
from lastcall.wire import Holder, Reply
from tests.authority.test_receipts import application
from tests.http.asgi import ask, echo, serve
from tests.http.sockets import PATIENCE
from tests.world import TENANT, make_world


class Tap:
    """A stream that gives what it is told to, and knows whether it was closed."""

    def __init__(self, *pieces: bytes, on: bool = False) -> None:
        self.pieces = pieces
        self.on = on
        self.begun = asyncio.Event()
        self.closed = False

    async def flow(self) -> AsyncIterator[bytes]:
        try:
            for piece in self.pieces:
                yield piece
            self.begun.set()
            if self.on:
                await asyncio.Event().wait()
        finally:
            self.closed = True

    def reply(self) -> Reply:
        headers = (("Content-Type", "text/event-stream"),)
        return Reply(body=b"<", headers=headers, stream=self.flow())


async def test_the_pieces_come_in_order_and_it_ends() -> None:
    tap = Tap(b"a", b"b")
    mount, _ = echo(reply=tap.reply())
    answer = await ask(serve(await make_world(), mount).app, "GET", "/echo/ok")
    assert (answer.status, answer.body) == (200, b"<ab")
    assert answer.header("content-length") == ""
    assert answer.header("cache-control") == "no-store"
    assert tap.closed


async def test_head_has_no_stream() -> None:
    tap = Tap(b"a", on=True)
    mount, _ = echo(reply=tap.reply())
    served = serve(await make_world(), mount)
    answer = await asyncio.wait_for(ask(served.app, "HEAD", "/echo/ok"), PATIENCE)
    assert (answer.status, answer.body) == (200, b"")


async def test_it_stops_when_the_other_side_leaves_and_when_the_server_stops() -> None:
    tap = Tap(b"a", on=True)
    mount, _ = echo(reply=tap.reply())
    served = serve(await make_world(), mount)
    answer = await asyncio.wait_for(ask(served.app, "GET", "/echo/ok", gone=True), PATIENCE)
    assert answer.status == 200
    assert tap.closed
    tap = Tap(b"a", on=True)
    mount, _ = echo(reply=tap.reply())
    served = serve(await make_world(), mount)
    going = asyncio.create_task(ask(served.app, "GET", "/echo/ok"))
    await tap.begun.wait()
    served.state.draining = True
    assert (await asyncio.wait_for(going, PATIENCE)).body == b"<a"
    assert tap.closed


async def test_only_so_many_at_once() -> None:
    tap = Tap(b"a", on=True)
    mount, _ = echo(reply=tap.reply())
    served = serve(await make_world(), mount)
    going = [asyncio.create_task(_sent(one)) for one in [Tap(b"a", on=True) for _ in range(3)]]
    await asyncio.sleep(0)
    assert STREAMS.of_kind["account"] == 3
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)
    assert (STREAMS.of_kind["account"], STREAMS.of_one) == (0, {})
    served.app.streams.of_kind["account"] = streaming.MOST["account"]  # type: ignore[attr-defined]  # of the assembly
    answer = await ask(served.app, "GET", "/echo/ok")
    assert (answer.status, answer.json["code"]) == (400, "busy")


def test_one_account_does_not_take_what_others_need_nor_people_what_services_need() -> None:
    streams = streaming.Streams()
    greedy, other = Holder("account", "default/u-1"), Holder("account", "default/u-2")
    for _ in range(streaming.MOST_OF_ONE["account"]):
        assert not streams.full_for(greedy)
        streams.begin(greedy)
    assert streams.full_for(greedy)
    assert not streams.full_for(other)
    streams.of_kind["account"] = streaming.MOST["account"]
    assert streams.full_for(other)
    assert not streams.full_for(Holder("service", "default"))
    streams.end(greedy)
    assert not streams.full_for(greedy)


STREAMS = streaming.Streams()


async def _sent(tap: Tap) -> None:
    await streaming.send_stream(_drop, _silent, tap.reply(), STREAMS, stopping=_no)


async def _drop(_message: object) -> None:
    await asyncio.sleep(0)


async def _silent() -> dict[str, object]:
    await asyncio.Event().wait()
    raise AssertionError


def _no() -> bool:
    return False


def test_long_waits_take_the_same_places() -> None:
    streams = streaming.Streams()
    one = Holder("account", "default/u-1")
    for _ in range(streaming.MOST_OF_ONE["account"] - 1):
        streams.begin(one)
    with streams.held(one), pytest.raises(Busy), streams.held(one):
        pass
    with streams.held(one):
        assert streams.full_for(one)
    assert not streams.full_for(one)


async def test_an_account_waits_in_only_so_many_places_at_once() -> None:
    world = await make_world()
    served = serve(world)
    as_json = ("Content-Type", "application/json")
    for name, password in (("john", "johnpassword"), ("admin", "Admin_1234")):
        given = json.dumps({"username": name, "password": password}).encode()
        login = await ask(served.app, "POST", "/v1/login", as_json, body=given)
    as_admin = ("Authorization", f"Bearer {login.json['token']}")
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_client(application("crm", always=True))
    scope = json.dumps({"scope": {"kind": "subject", "subject": "u-john"}, "reason": "left"})
    done = await ask(served.app, "POST", "/v1/logout", as_json, as_admin, body=scope.encode())
    assert done.status == 200, done.body
    path = f"/v1/receipts/{done.json['id']}"
    waits = [
        asyncio.create_task(ask(served.app, "GET", f"{path}?wait=30", as_admin))
        for _ in range(streaming.MOST_OF_ONE["account"])
    ]
    streams = served.app.streams  # type: ignore[attr-defined]  # of the assembly
    async with asyncio.timeout(PATIENCE):
        while streams.of_kind["account"] < len(waits):  # noqa: ASYNC110  # nothing tells a test
            await asyncio.sleep(0)
    for more in (f"{path}?wait=30", f"{path}/events"):
        answer = await asyncio.wait_for(ask(served.app, "GET", more, as_admin), PATIENCE)
        assert (answer.status, answer.json["code"]) == (503, "busy")
    assert (await ask(served.app, "GET", path, as_admin)).status == 200
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    again = ask(served.app, "GET", f"{path}?wait=30", as_admin)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(again, 0.1)
