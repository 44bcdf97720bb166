"""The feed's bytes and the authority's answers, as they may come: in any pieces, and wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from lastcall.client import CannotKnow, SessionGuard
from lastcall.client.authority import HttpAuthority
from lastcall.client.feed import (
    LONGEST_EVENT,
    Events,
    Forget,
    Marks,
    Position,
    Progress,
    Reset,
    Scope,
    Unreadable,
)
from lastcall.client.guard import IN_FLIGHT
from tests.client.running import PATIENCE
from tests.client.watching import until

BYTES = (
    b": still here\n\n"
    b'id: e:1\nevent: reset\ndata: {"at":"e:1"}\n\n'
    b'event: forget\ndata: {"at":"e:2","tokens":["00ff"],"sessions":["s"]}\n\n'
    b"id: e:2\r\nevent: forget\r\n"
    b'data: {"at":"e:2","scopes":[{"tenant":"t","dialect":"d"}]}\r\n\r\n'
    b'id: e:3\nevent: position\ndata: {"at":"e:3"}\n\n'
    b'data: {"at":\nevent: position\ndata: "e:4"}\n\n'
)
TOLD = [
    Reset(Position("e", 1)),
    Forget(
        Position("e", 2),
        Marks(tokens=frozenset({b"\x00\xff"}), sessions=frozenset({"s"})),
        whole=False,
    ),
    Forget(Position("e", 2), Marks(scopes=(Scope("t", None, "d"),)), whole=True),
    Progress(Position("e", 3)),
]


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_events_in_pieces_of_any_size(size: int) -> None:
    events = Events()
    pieces = (BYTES[start : start + size] for start in range(0, len(BYTES), size))
    found = [event for piece in pieces for event in events.read(piece)]
    assert found == [*TOLD, Progress(Position("e", 4))]


@pytest.mark.parametrize(
    "wrong",
    [
        b"event: position\ndata: no json\n\n",
        b'data: {"at":"e:1"}\n\n',
        b'event: of another kind\ndata: {"at":"e:1"}\n\n',
        b"data: []\n\n",
        b'data: {"at":"nowhere"}\n\n',
        b'event: forget\ndata: {"at":"e:1","tokens":["no hex"]}\n\n',
        b'event: forget\ndata: {"at":"e:1","scopes":[{}]}\n\n',
        b'event: forget\ndata: {"at":"e:1","tokens":7}\n\n',
        b"data: \xff\n\n",
        b"data: " + b"x" * (LONGEST_EVENT + 1),
    ],
)
def test_what_is_no_event(wrong: bytes) -> None:
    with pytest.raises(Unreadable):
        list(Events().read(wrong))


@asynccontextmanager
async def answering(
    status: int, body: bytes, headers: dict[str, str] | None = None
) -> AsyncIterator[HttpAuthority]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    authority = HttpAuthority(f"http://127.0.0.1:{port}/", "wiki", "a secret")
    try:
        yield authority
    finally:
        await authority.close()
        await runner.cleanup()


WHO = {
    "active": True, "sub": "u", "username": "n", "sid": "s", "tenant": "t", "role": "r",
    "dialect": "d", "exp": 1, "act": {"sub": "a"},
}  # fmt: skip


async def test_an_introspection_is_read() -> None:
    headers = {"Lastcall-Position": "e:4", "Lastcall-Remaining": "1500"}
    async with answering(200, json.dumps(WHO).encode(), headers) as authority:
        answer = await authority.introspect("t", None, use=False, seconds=5)
    assert answer.position == Position("e", 4)
    assert answer.lasts == 1.5
    assert answer.identity is not None
    assert (answer.identity.subject, answer.identity.impersonator) == ("u", "a")


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"", {}),
        (200, b"[]", {}),
        (200, b"{}", {}),
        (200, json.dumps({**WHO, "active": "true"}).encode(), {}),
        (200, json.dumps({**WHO, "sub": 7}).encode(), {}),
        (200, json.dumps(WHO).encode(), {"Lastcall-Position": "?"}),
        (200, json.dumps(WHO).encode(), {"Lastcall-Remaining": "long"}),
        (200, json.dumps(WHO).encode(), {"Lastcall-Remaining": "9" * 400}),
        (200, json.dumps(WHO).replace('"exp": 1', '"exp": 1e999').encode(), {}),
        (200, b" " * 70_000 + b'{"active":false}', {}),
        (401, b'{"active":false}', {}),
        (302, b"", {"Location": "/elsewhere"}),
        (503, b"", {}),
    ],
)
async def test_what_is_no_answer_is_not_taken_for_a_refusal(
    status: int, body: bytes, headers: dict[str, Any]
) -> None:
    async with answering(status, body, headers) as authority:
        with pytest.raises(CannotKnow) as told:
            await authority.introspect("the-token", None, use=False, seconds=5)
        with pytest.raises(CannotKnow):
            await authority.position(5)
    assert "the-token" not in str(told.value)


@pytest.mark.slow
async def test_questions_that_wait_leave_room_for_the_lease_and_the_feed() -> None:
    """An authority that is slow to answer questions is not for that reason taken for gone."""
    asked = 0

    async def slow(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(3_600)
        raise AssertionError

    async def position(_request: web.Request) -> web.Response:
        return web.json_response({"position": "e:1"})

    async def feed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'event: reset\nid: e:1\ndata: {"at":"e:1"}\n\n')
        await asyncio.sleep(3_600)
        return response

    app = web.Application()
    app.router.add_post("/v1/introspect", slow)
    app.router.add_get("/v1/feed/position", position)
    app.router.add_get("/v1/feed", feed)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    guard = SessionGuard(
        f"http://127.0.0.1:{runner.addresses[0][1]}", "wiki", "a secret", lease=0.5, patience=600.0
    )
    questions = [asyncio.create_task(guard.check(f"t{n}")) for n in range(2 * IN_FLIGHT)]
    try:
        await until(lambda: asked >= IN_FLIGHT - 1)
        await asyncio.sleep(1.0)
        await until(lambda: guard.standing.following)
    finally:
        for one in questions:
            one.cancel()
        await guard.close()
        await runner.cleanup()


async def test_a_proxy_that_compresses_does_not_hold_the_feed_back() -> None:
    """It may gather what is told until it is worth compressing."""

    async def feed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_compression()
        await response.prepare(request)
        await response.write(b'event: reset\nid: e:1\ndata: {"at":"e:1"}\n\n')
        await asyncio.sleep(3_600)
        return response

    app = web.Application()
    app.router.add_get("/v1/feed", feed)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    authority = HttpAuthority(f"http://127.0.0.1:{runner.addresses[0][1]}", "wiki", "a secret")
    try:
        async with asyncio.timeout(PATIENCE), aclosing(authority.feed(None)) as events:
            assert await anext(events) == Reset(Position("e", 1))
    finally:
        await authority.close()
        await runner.cleanup()


async def test_nobody_there() -> None:
    authority = HttpAuthority("http://127.0.0.1:1", "wiki", "a secret")
    with pytest.raises(CannotKnow):
        await authority.position(1)
    with pytest.raises(CannotKnow):
        await anext(authority.feed(None))
    await authority.close()
