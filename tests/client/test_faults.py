"""What a guard does when the feed is cut, the authority dies, or its own process is paused.

Every answer goes into a history, and the checker says whether a register with the lease for a
delay could have given it.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lastcall.client import CannotKnow, Identity, Verdict
from tests.checker import Answer, broken
from tests.client.running import PATIENCE, App, app, authority, log_in, log_out, proxy
from tests.client.watching import LEASE, until, watched
from tests.e2e.server import Server

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


async def test_a_cut_feed_lets_nobody_in_beyond_the_lease(server: Server) -> None:
    token, kept = log_in(server.url), log_in(server.url)
    with proxy(server.url) as network:
        async with watched(network.url, token) as one:
            assert await one.guard.check(kept) is not None
            network.dropping = True
            cut = time.monotonic()
            await one.log_out(server.url)
            await asyncio.sleep(LEASE)
            before = one.unknown
            await until(lambda: one.unknown > before)
            assert one.last(Answer.LIVE) < cut + LEASE
            assert isinstance(one.guard.check_now(kept), Verdict)
            network.dropping = False
            await one.ended()
            await until(lambda: one.guard.standing.following)
            assert await one.answered(kept) is not None
        assert broken(one.history, LEASE) == []


async def test_what_happened_meanwhile_is_read_before_memory_is_believed(server: Server) -> None:
    """The feed goes on by its sequence: what did not happen is not forgotten."""
    token, kept = log_in(server.url), log_in(server.url)
    with proxy(server.url) as network:
        async with watched(network.url, token) as one:
            await one.guard.check(kept)
            before = one.guard.standing
            network.reset()
            await one.log_out(server.url)
            await until(lambda: one.guard.standing.position != before.position)
            await until(lambda: one.guard.standing.following)
            assert isinstance(one.guard.check_now(kept), Identity)
            assert await one.answered(token) is None
        assert broken(one.history, LEASE) == []


async def test_a_killed_authority_means_nobody_knows_and_a_new_one_is_followed(
    tmp_path: Path,
) -> None:
    with authority(tmp_path) as first, proxy(first.url) as network:
        token = log_in(first.url)
        async with watched(network.url, token) as one:
            assert isinstance(one.guard.check_now(token), Identity)
            before = one.guard.standing.position
            await asyncio.to_thread(first.kill)
            killed = time.monotonic()
            await asyncio.sleep(LEASE + 0.5)
            assert one.last(Answer.LIVE) < killed + LEASE
            with pytest.raises(CannotKnow):
                await one.guard.check(token)
            with authority(tmp_path) as second:
                network.target = int(second.url.rsplit(":", 1)[1])
                await until(lambda: one.guard.standing.following)
                here = one.guard.standing.position
                assert before is not None
                assert here is not None
                assert here.epoch != before.epoch
                assert await one.answered(token) is not None
                await one.log_out(second.url)
                await one.ended()
        assert broken(one.history, LEASE) == []


def answered(guarded: App, token: str) -> int:
    """Once the application knows: it may need longer for a question than it waits for an answer."""
    end = time.monotonic() + PATIENCE
    while (status := guarded.me(token)) == 503:
        assert time.monotonic() < end
    return status


@pytest.mark.parametrize("kind", ["starlette", "flask"])
def test_a_paused_application_does_not_believe_what_it_had_before(
    server: Server, kind: str
) -> None:
    """Events and heartbeats wait in its socket while it is paused, and so do requests."""
    token, kept = log_in(server.url), log_in(server.url)
    with app(kind, server.url) as guarded:
        assert (answered(guarded, token), answered(guarded, kept)) == (200, 200)
        time.sleep(0.5)
        os.kill(guarded.process.pid, signal.SIGSTOP)
        log_out(server.url, token)
        time.sleep(2.5)  # longer than its lease
        found: list[int] = []
        waiting = [
            threading.Thread(target=lambda: found.append(answered(guarded, token)))
            for _ in range(4)
        ]
        for thread in waiting:
            thread.start()
        time.sleep(0.2)
        os.kill(guarded.process.pid, signal.SIGCONT)
        for thread in waiting:
            thread.join()
        assert found == [401] * 4
        assert answered(guarded, kept) == 200


def test_an_application_without_its_authority_says_so(tmp_path: Path) -> None:
    with authority(tmp_path) as server, app("starlette", server.url) as guarded:
        token = log_in(server.url)
        assert answered(guarded, token) == 200
        server.kill()
        asked = killed = time.monotonic()
        while (status := guarded.me(token)) == 200:
            assert asked < killed + 2.0, "longer than its lease"
            asked = time.monotonic()
        assert status == 503
        assert guarded.me("lct_unknown") == 503
        assert guarded.me() == 401
        assert requests.get(f"{guarded.url}/public/hello", timeout=30).status_code == 200
