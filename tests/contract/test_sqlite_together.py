"""Many transactions, one sync: what is committed together, and what waits no longer for more."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lastcall.stores.sqlite import SqliteStore
from lastcall.stores.sqlite.writer import ENOUGH, Step
from tests.contract.changes import add
from tests.contract.gates import StepGate, turns
from tests.contract.rows import a_session, fill


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@asynccontextmanager
async def opened(path: Path, step: Step) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, step=step)
    try:
        yield store
    finally:
        await store.close()


class Slow:
    """Gives the writer time to run, if it has anything to write."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if step == "decided":
            time.sleep(0.002)

    @property
    def commits(self) -> int:
        return self.steps.count("committed")


async def test_what_queues_is_committed_together(path: Path) -> None:
    gate = StepGate()
    async with opened(path, gate) as store:
        await fill(store, 1)
        gate.shut()
        logins = [asyncio.create_task(add(store, a_session(n))) for n in range(2, 102)]
        await turns(500)
        before = gate.steps.count("committed")
        gate.open()
        await asyncio.gather(*logins)
        assert gate.steps.count("committed") - before <= 2


async def test_what_one_round_of_the_loop_decides_is_committed_together(path: Path) -> None:
    slow = Slow()
    async with opened(path, slow) as store:
        await fill(store, 1)
        before = slow.commits
        await asyncio.gather(*(add(store, a_session(n)) for n in range(2, 22)))
        assert slow.commits - before == 1


@pytest.mark.parametrize(("rounds", "commits"), [(ENOUGH - 1, 1), (2 * ENOUGH, 2)])
async def test_so_is_what_rounds_decide_that_follow_each_other(
    path: Path, rounds: int, commits: int
) -> None:
    """Until they are enough: the disk would have nothing to do."""
    slow = Slow()
    async with opened(path, slow) as store:
        await fill(store, 1)
        before, logins = slow.commits, list[asyncio.Task[None]]()
        for n in range(2, 2 + rounds):
            logins.append(asyncio.create_task(add(store, a_session(n))))
            await asyncio.sleep(0)
        await asyncio.gather(*logins)
        assert slow.commits - before <= commits
