"""The ASGI middleware, message by message: WebSockets, endings, and what it leaves alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lastcall.client import SessionGuard
from lastcall.client.asgi import LastcallMiddleware
from lastcall.client.rules import Rules
from tests.client.authority import FakeAuthority, who
from tests.client.running import PATIENCE

Header = tuple[bytes, bytes]


class Peer:
    """The server's end: what it hands in, and what it is handed."""

    def __init__(self, *incoming: dict[str, Any]) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        for message in incoming:
            self.incoming.put_nowait(message)

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.incoming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    def types(self) -> list[str]:
        return [message["type"] for message in self.sent]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers each message with who sent it, until the other side is gone."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send(
            {"type": "websocket.send", "text": f"{scope['user'].username}: {message['text']}"}
        )


async def deaf(_scope: Any, receive: Any, send: Any) -> None:
    """Sends for ever and never listens."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        await send({"type": "websocket.send", "text": "tick"})
        await asyncio.sleep(0.001)


async def endless(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": KIND})
    while True:
        await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        await asyncio.sleep(0.001)


async def whoever(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "told", "user": scope["user"], "state": scope["state"]})


KIND: list[Header] = []
OFFERED = [(b"authorization", b"Bearer t")]


def scope_of(kind: str, headers: Sequence[Header] = OFFERED, **more: Any) -> dict[str, Any]:
    return {"type": kind, "path": "/", "headers": list(headers), **more}


@asynccontextmanager
async def guarding(authority: FakeAuthority, lease: float = 2.0) -> AsyncIterator[SessionGuard]:
    guard = SessionGuard(authority=authority, clock=authority.clock, lease=lease, patience=PATIENCE)
    async with guard:
        yield guard


async def started(app: Any, guard: SessionGuard, scope: Any, peer: Peer) -> "asyncio.Task[None]":
    task = asyncio.create_task(LastcallMiddleware(app, guard)(scope, peer.receive, peer.send))
    async with asyncio.timeout(PATIENCE):
        while len(peer.sent) < 2:  # noqa: ASYNC110  # nothing tells a test
            await asyncio.sleep(0.001)
    return task


CONNECT = {"type": "websocket.connect"}
HELLO = {"type": "websocket.receive", "text": "hello"}


@pytest.mark.parametrize("app", [echo, deaf])
async def test_a_websocket_is_closed_with_its_session(app: Any) -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    peer = Peer(CONNECT, HELLO)
    async with guarding(authority) as guard:
        task = await started(app, guard, scope_of("websocket"), peer)
        assert peer.sent[1]["text"] in ("john: hello", "tick")
        await authority.log_out("t")
        await asyncio.wait_for(task, PATIENCE)
    assert peer.sent[-1] == {"type": "websocket.close", "code": 1008}


async def test_a_websocket_is_closed_when_the_session_cannot_be_known() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    peer = Peer(CONNECT, HELLO)
    async with guarding(authority, lease=0.2) as guard:
        task = await started(echo, guard, scope_of("websocket"), peer)
        authority.down = True
        authority.clock.now += 1.0
        await asyncio.wait_for(task, PATIENCE)
    assert peer.sent[-1] == {"type": "websocket.close", "code": 1013}


async def test_no_message_passes_after_the_lease_without_asking() -> None:
    """As after a pause: what waited in the socket is not handed on."""
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    peer = Peer(CONNECT, HELLO)
    async with guarding(authority, lease=60.0) as guard:
        task = await started(echo, guard, scope_of("websocket"), peer)
        authority.mute = True
        await authority.log_out("t")
        authority.clock.now += 61.0
        peer.incoming.put_nowait(HELLO)
        await asyncio.wait_for(task, PATIENCE)
    assert peer.types() == ["websocket.accept", "websocket.send", "websocket.close"]


async def test_messages_are_uses_and_watching_is_none() -> None:
    authority = FakeAuthority(lasts=100.0)
    await authority.log_in("t", who("john"))
    peer = Peer(CONNECT, HELLO)
    async with guarding(authority, lease=200.0) as guard:
        task = await started(echo, guard, scope_of("websocket"), peer)
        before = len(authority.asked)
        authority.clock.now += 11.0
        peer.incoming.put_nowait(HELLO)
        async with asyncio.timeout(PATIENCE):
            while len(authority.asked) == before:  # noqa: ASYNC110  # nothing tells a test
                await asyncio.sleep(0.001)
        task.cancel()
    assert authority.asked[-1] == ("t", True)


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        (b"text/event-stream; charset=utf-8", {"body": b"", "more_body": False}),
        (b"application/zip", {"body": b"tick", "more_body": True}),
    ],
)
async def test_an_answer_that_goes_on_ends_with_the_session(
    kind: bytes, last: dict[str, Any]
) -> None:
    KIND[:] = [(b"Content-Type", kind)]
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    peer = Peer()
    async with guarding(authority) as guard:
        task = await started(endless, guard, scope_of("http"), peer)
        await authority.log_out("t")
        await asyncio.wait_for(task, PATIENCE)
    assert peer.sent[-1] == {"type": "http.response.body", **last}
    assert not task.cancelled()


async def test_a_cancelled_request_stays_cancelled() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    peer = Peer()
    async with guarding(authority) as guard:
        task = await started(endless, guard, scope_of("http"), peer)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(("down", "code", "status"), [(False, 1008, 401), (True, 1013, 503)])
async def test_a_websocket_nobody_may_have(down: bool, code: int, status: int) -> None:
    authority = FakeAuthority()
    async with guarding(authority) as guard:
        authority.down = down
        peer = Peer(CONNECT)
        await LastcallMiddleware(echo, guard)(scope_of("websocket"), peer.receive, peer.send)
        assert peer.sent == [{"type": "websocket.close", "code": code}]
        peer = Peer(CONNECT)
        scope = scope_of("websocket", extensions={"websocket.http.response": {}})
        await LastcallMiddleware(echo, guard)(scope, peer.receive, peer.send)
        assert peer.types() == ["websocket.http.response.start", "websocket.http.response.body"]
        assert peer.sent[0]["status"] == status


async def test_who_it_is_and_who_is_nobody() -> None:
    authority = FakeAuthority()
    await authority.log_in("t", who("john"))
    async with guarding(authority) as guard:
        for headers, required, user in (
            (OFFERED, True, who("john")),
            ([(b"Authorization", b"bearer  t ")], True, who("john")),
            ([], False, None),
            ([(b"authorization", b"Bearer wrong")], False, None),
        ):
            peer = Peer()
            middleware = LastcallMiddleware(whoever, guard, required=required)
            await middleware(scope_of("http", headers), peer.receive, peer.send)
            assert peer.sent == [{"type": "told", "user": user, "state": {"lastcall": user}}]


async def test_the_guard_begins_and_ends_with_the_application() -> None:
    authority = FakeAuthority()
    guard = SessionGuard(authority=authority, patience=PATIENCE)
    peer = Peer({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        assert await guard.start(within=PATIENCE)
        assert (await receive())["type"] == "lifespan.shutdown"

    await LastcallMiddleware(app, guard)({"type": "lifespan"}, peer.receive, peer.send)
    assert guard.standing.following
    await guard.close()


def test_which_paths_are_left_out() -> None:
    rules = Rules(public=["/health", "/static/"])
    out = ["/health", "/static/", "/static/a/b.css", "/static/.well-known/x"]
    kept = ["/", "/health/", "/healthy", "/static", "/Health", "/STATIC/a", ""]
    assert [path for path in out + kept if rules.leaves_out(path)] == out


@pytest.mark.parametrize(
    "disguised",
    [
        "/static/../me", "/static//me", "/static/%2e%2e/me", "/static/..%2fme", "/static/..",
        "/static/./me", "/static\\..\\me", "/static/..;/me", "/static/.;a=b/me", "//static/a",
        "/static/.\t./me", "/static/a\nme", "/static/a\x00", "/static/\x7f/me",
    ],
)  # fmt: skip
def test_a_path_in_disguise_is_never_left_out(disguised: str) -> None:
    assert not Rules(public=["/health", "/static/"]).leaves_out(disguised)


def test_the_root_alone_is_not_everything() -> None:
    rules = Rules(public=["/"])
    assert rules.leaves_out("/")
    assert not rules.leaves_out("/me")


@pytest.mark.parametrize("wrong", ["/health", "/", [""], ["health"], ["*"], [None]])
def test_a_list_of_paths_that_is_none_opens_nothing(wrong: Any) -> None:
    """`("/health")` is a text, and each of its characters would be taken for a path."""
    with pytest.raises(ValueError, match="public"):
        Rules(public=wrong)


@pytest.mark.parametrize(
    ("authorization", "cookies", "token"),
    [
        ([], [], None),
        (["Bearer t"], ["session=c"], "t"),
        (["Basic dTpw"], ["session=c"], "c"),
        (["Bearer"], ["session=c"], ""),
        (["Bearer t", "Bearer u"], [], ""),
        ([], ["a=b; session=c"], "c"),
        ([], ['session="c"', "session=c"], "c"),
        ([], ["session=c; session=d"], ""),
        ([], ["session=; other=c"], None),
        ([], ["xsession=c"], None),
    ],
)
def test_where_the_token_is(
    authorization: list[str], cookies: list[str], token: str | None
) -> None:
    assert Rules(cookie="session").token(authorization, cookies) == token
    if authorization == []:
        assert Rules().token([], cookies) is None
