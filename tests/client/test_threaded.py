"""A guard for programs without an event loop: from many threads, and after a fork."""

import asyncio
import gc
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from lastcall.client import CannotKnow, Identity, ThreadedGuard, Verdict
from tests.client.running import PATIENCE, SECRET, authority, log_in, log_out
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

FORKING = """
import os, sys
from lastcall.client import Identity, ThreadedGuard, Verdict
url, secret, token = sys.argv[1:]
guard = ThreadedGuard(url, "wiki", secret, patience=180)
assert guard.start(within=180)
assert isinstance(guard.check(token), Identity)
child = os.fork()
known = guard.check_now(token)
if child == 0:
    assert known is Verdict.UNKNOWN, known
    assert guard.start(within=180)
    assert isinstance(guard.check(token), Identity)
    guard.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert isinstance(guard.check_now(token), Identity)
assert guard.standing.following
guard.close()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


def test_many_threads_at_once(server: Server) -> None:
    tokens = [log_in(server.url) for _ in range(8)]
    found: list[Identity | None] = []
    with ThreadedGuard(server.url, "wiki", SECRET, patience=PATIENCE) as guard:

        def check(number: int) -> None:
            found.extend(guard.check(tokens[(number + n) % 8]) for n in range(50))

        threads = [threading.Thread(target=check, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 400
        assert None not in found
        for token in tokens:
            log_out(server.url, token)
    with pytest.raises(CannotKnow):
        guard.check("lct_another")


async def test_from_a_coroutine_of_another_loop(server: Server) -> None:
    token = log_in(server.url)
    with ThreadedGuard(server.url, "wiki", SECRET, patience=PATIENCE) as guard:
        assert guard.check_now(token) is Verdict.UNKNOWN
        assert await guard.check_async(token) is not None
        assert await guard.check_async(token) is not None
        assert await guard.check_async("") is None


def test_one_that_nobody_has_any_more_leaves_no_thread(server: Server) -> None:
    """Nor a place among the followers of the authority."""
    guard = ThreadedGuard(server.url, "wiki", SECRET, patience=PATIENCE)
    assert guard.start(within=180)
    (thread,) = mine()
    del guard
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_closed_one_starts_nothing(server: Server) -> None:
    guard = ThreadedGuard(server.url, "wiki", SECRET, patience=PATIENCE)
    guard.start(within=180)
    guard.close()
    guard.close()
    with pytest.raises(CannotKnow):
        guard.check("lct_another")
    with pytest.raises(CannotKnow):
        guard.start()
    assert not mine()


async def test_who_waits_in_another_loop_is_told_when_it_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        guard = ThreadedGuard(url, "wiki", SECRET, patience=30)
        waiting = asyncio.create_task(guard.check_async("lct_another"))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(guard.close)
        with pytest.raises(CannotKnow):
            await waiting


def mine() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "lastcall-guard"]


def test_a_forked_child_begins_anew_and_the_parent_goes_on(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, server.url, SECRET, log_in(server.url)],
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
