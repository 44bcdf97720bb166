"""A guard outlives event loops: the test clients of frameworks have a loop for every test."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lastcall.client import CannotKnow, SessionGuard
from lastcall.client.asgi import LastcallMiddleware
from tests.client.authority import FakeAuthority
from tests.client.running import PATIENCE, SECRET, authority, bearer, log_in, log_out
from tests.client.test_asgi import Peer
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

UNTIDY = """
import asyncio, sys
from lastcall.client import SessionGuard
url, secret, token = sys.argv[1:]
guard = SessionGuard(url, "wiki", secret, patience=60)
for _ in range(3):
    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(guard.check(token)).username)
    loop.close()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


def guard_of(server: Server) -> SessionGuard:
    return SessionGuard(server.url, "wiki", SECRET, patience=PATIENCE)


def test_a_loop_for_each_question(server: Server) -> None:
    """What an earlier loop remembered is not followed any more, so it is not believed."""
    guard, token = guard_of(server), log_in(server.url)
    for _ in range(3):
        assert asyncio.run(guard.check(token))
    log_out(server.url, token)
    assert asyncio.run(guard.check(token)) is None
    assert asyncio.run(guard.start(within=PATIENCE))
    assert asyncio.run(guard.start(within=PATIENCE))


def test_a_loop_that_nobody_tidied_up(server: Server) -> None:
    """In a process of its own: what is left of such loops complains when it is thrown away."""
    done = subprocess.run(
        [sys.executable, "-c", UNTIDY, server.url, SECRET, log_in(server.url)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["monitor"] * 3, done.stderr


def test_an_application_that_begins_again(server: Server) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            return
        await send({"type": "told", "user": scope["user"].username})

    guarded = LastcallMiddleware(
        app, url=server.url, service="wiki", secret=SECRET, patience=PATIENCE
    )
    token = log_in(server.url)
    header = [(b"authorization", bearer(token)["Authorization"].encode())]

    async def once() -> list[dict[str, Any]]:
        life, peer = Peer({"type": "lifespan.startup"}), Peer()
        living = asyncio.create_task(guarded({"type": "lifespan"}, life.receive, life.send))
        while not life.sent:  # noqa: ASYNC110  # nothing tells a test
            await asyncio.sleep(0.001)
        await guarded({"type": "http", "path": "/", "headers": header}, peer.receive, peer.send)
        life.incoming.put_nowait({"type": "lifespan.shutdown"})
        await living
        with pytest.raises(CannotKnow):
            await guarded.guard.check("lct_another")
        return peer.sent

    for _ in range(3):
        assert asyncio.run(once()) == [{"type": "told", "user": "monitor"}]


async def test_two_loops_at_once_are_told_what_to_take_instead() -> None:
    async with SessionGuard(authority=FakeAuthority(), patience=0.2) as guard:
        with pytest.raises(RuntimeError, match="ThreadedGuard"):
            await asyncio.to_thread(lambda: asyncio.run(guard.check("t")))
