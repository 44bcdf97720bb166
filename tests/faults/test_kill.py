"""kill -9 after every step of a logout: what was answered, or seen, is so after a restart."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lastcall.domain.session import State, state_of
from lastcall.stores.sqlite import SqliteStore
from tests.contract.rows import NOW, ONE, token_of

STEPS = ["decided", "taken", "written", "committed", "witnessed", "reported"]
DURABLE_FROM = STEPS.index("committed")


def killed_at(step: str, path: Path, verb: str) -> list[str]:
    """What the process had said when it died; it must have died."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.child", path, verb],
        env={**os.environ, "FAIL": step},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.split("\n")


@pytest.mark.fault
@pytest.mark.parametrize("verb", ["one", "all"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_logout_is_whole_or_has_not_been(tmp_path: Path, step: str, verb: str) -> None:
    said = killed_at(step, tmp_path / "store.db", verb)
    assert "started" in said
    store = await SqliteStore.open(tmp_path / "store.db")
    finds = [await store.find(token_of(number)) for number in (1, 2, 3)]
    states = [one and state_of(one.session, NOW, one.revoked_before) for one in finds]
    async with store.transaction(ONE) as tx:
        recorded = len(await tx.records())
    await store.close()
    done = STEPS.index(step) >= DURABLE_FROM
    ended = [State.ENDED, State.REVOKED, State.REVOKED] if verb == "all" else [State.ENDED]
    live = [State.LIVE] * 3
    assert states == ((ended + live)[:3] if done else live)
    assert recorded == int(done), "the audit record is in the same unit"
    if "answered" in said or "seen ended" in said:
        assert done


@pytest.mark.fault
async def test_a_process_that_is_left_alone_finishes(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [sys.executable, "-m", "tests.faults.child", tmp_path / "store.db", "one"],
        env={**os.environ, "FAIL": "never"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    assert done.stdout.split() == ["started", "seen", "ended", "answered", "closed"]
