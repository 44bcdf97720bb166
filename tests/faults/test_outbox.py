"""kill -9 at every batch of a mass logout: the rest follows, none is missed and none doubled."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lastcall.domain.delivery import DeliveryState
from lastcall.domain.types import EndReason
from lastcall.stores.sqlite import SqliteStore
from tests.faults.mass import SESSIONS, fill, finish, owed, wanted
from tests.world import TENANT, make_world

BATCHES = -(-SESSIONS // 2)
"""Commits of the logout and of the sweep behind it."""


def run(path: Path, fail: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.mass", path],
        env={**os.environ, "FAIL": fail},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=180,
        check=False,
    ).returncode


async def resumed(path: Path) -> tuple[int, int]:
    """How much was owed after the restart, and how much once all is swept."""
    store = await SqliteStore.open(path)
    before = await owed(store)
    env = replace((await make_world()).env, store=store)
    await finish(env)
    after = await owed(store)
    if after:
        assert {(one.client, one.subject, one.sid) for one in after} == wanted()
        assert len(after) == len(wanted())
        assert {one.state for one in after} == {DeliveryState.QUEUED}
        due = store.due(env.clock.now(), most_of_one=100, limit=1_000)
        assert {delivery for _, delivery, _ in due} == {one.id for one in after}
        assert await store.live_sessions() == 0
    else:
        assert await store.live_sessions() == SESSIONS
    await store.close()
    return len(before), len(after)


@pytest.mark.fault
@pytest.mark.parametrize("step", ["decided", "written", "committed", "reported"])
@pytest.mark.parametrize("batch", range(1, BATCHES + 1))
async def test_what_a_killed_process_left_is_owed_after_a_restart(
    tmp_path: Path, step: str, batch: int
) -> None:
    assert run(tmp_path / "store.db", f"{step}:{batch}") == -signal.SIGKILL
    before, after = await resumed(tmp_path / "store.db")
    done = batch if step in ("committed", "reported") else batch - 1
    assert bool(before) == bool(done)
    assert (after == 0) == (done == 0)


@pytest.mark.fault
async def test_an_accepted_rollback_owes_everybody(tmp_path: Path) -> None:
    """What was rolled back may have been told already: all are told again."""
    path, old = tmp_path / "store.db", tmp_path / "old.db"
    store = await SqliteStore.open(path)
    await fill(store)
    await store.close()
    old.write_bytes(path.read_bytes())
    store = await SqliteStore.open(path)
    async with store.transaction(TENANT) as tx:
        await tx.next_serial()
    await store.close()
    path.write_bytes(old.read_bytes())
    store = await SqliteStore.open(path, accept_rollback=True)
    assert await owed(store) == []
    await finish(replace((await make_world()).env, store=store))
    after = await owed(store)
    assert {(one.client, one.subject, one.sid) for one in after} == wanted()
    async with store.transaction(TENANT) as tx:
        whys = {(await tx.receipt(one.receipt)) for one in after}
    assert {one.revocation.why for one in whys if one} == {EndReason.STORE_RESTORED}
    await store.close()
