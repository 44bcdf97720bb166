"""A write or a sync fails once: nothing is answered after it, and a restart finds what was."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SessionId
from lastcall.stores.sqlite import SqliteStore
from tests.contract.changes import add
from tests.contract.gates import StepGate, until
from tests.contract.rows import GONE, ONE, a_session, fill, token_of
from tests.faults.vfs import Disk, mounted


@dataclass
class Answers:
    started: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    refused: int = 0


async def live(store: SqliteStore, answers: Answers) -> None:
    async def one(number: int) -> None:
        try:
            async with store.transaction(ONE) as tx:
                await tx.add_session(a_session(number, serial=await tx.next_serial()))
            answers.started.add(number)
            if number % 2:
                async with store.transaction(ONE) as tx:
                    await tx.end_session(SessionId(f"s{number}"), GONE)
                answers.ended.add(number)
        except StoreUnavailable:
            answers.refused += 1

    for number in range(1, 31, 3):
        await asyncio.gather(*(one(number + more) for more in range(3)))


async def verify(path: Path, answers: Answers) -> None:
    store = await SqliteStore.open(path)
    for number in answers.started:
        found = await store.find(token_of(number))
        assert found is not None
        assert found.session.ended or number not in answers.ended
    await store.close()


@pytest.mark.fault
@pytest.mark.parametrize(
    ("kind", "countdown"), [(kind, n) for kind in ("sync", "write") for n in range(0, 40, 3)]
)
async def test_the_first_failure_is_the_end(tmp_path: Path, kind: str, countdown: int) -> None:
    disk, answers = Disk(), Answers()
    with mounted(disk) as vfs:
        path = tmp_path / "store.db"
        store = await SqliteStore.open(path, vfs=vfs, checkpoint_pages=20)
        await fill(store, 0)
        disk.failing, disk.fail_after = kind, countdown
        await live(store, answers)
        if disk.failed:
            await assert_it_has_stopped(store)
            await store.close()
        else:
            await close_on_a_failing_disk(store, disk)
    assert disk.failed or not answers.refused
    await verify(path, answers)


async def assert_it_has_stopped(store: SqliteStore) -> None:
    """The disk works again, and still nothing more is tried: what it lost is not known."""
    while store.failed is None:  # a checkpoint failed: the next commit will notice
        with pytest.raises(StoreUnavailable):
            async with store.transaction(ONE) as tx:
                await tx.next_serial()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.find(token_of(1))
        with pytest.raises(StoreUnavailable):
            async with store.transaction(ONE) as tx:
                await tx.serial()


async def close_on_a_failing_disk(store: SqliteStore, disk: Disk) -> None:
    """Tidying up may fail: that is said, and costs nothing."""
    try:
        await store.close()
    except StoreUnavailable:
        assert disk.failed
    else:
        assert not disk.failed


@pytest.mark.fault
async def test_a_disk_that_cannot_be_opened_is_said_to_be_so(tmp_path: Path) -> None:
    disk = Disk(failing="write")
    with mounted(disk) as vfs, pytest.raises(StoreUnavailable, match=r"store\.db cannot be opened"):
        await SqliteStore.open(tmp_path / "store.db", vfs=vfs)
    await (await SqliteStore.open(tmp_path / "store.db")).close()


@pytest.mark.fault
async def test_a_witness_that_cannot_be_written_stops_the_store(tmp_path: Path) -> None:
    def step(name: str) -> None:
        if name == "committed":
            raise OSError("no space left for the witness")

    store = await SqliteStore.open(tmp_path / "store.db", step=step)
    with pytest.raises(StoreUnavailable):
        await fill(store, 1)
    assert store.failed is not None
    await store.close()


@pytest.mark.fault
async def test_what_had_queued_behind_a_failed_sync_is_not_written(tmp_path: Path) -> None:
    disk, gate = Disk(), StepGate()
    with mounted(disk) as vfs:
        store = await SqliteStore.open(tmp_path / "store.db", vfs=vfs, step=gate)
        await fill(store, 1)
        writes = gate.steps.count("written")
        gate.shut()
        logins = [asyncio.create_task(add(store, a_session(2)))]
        await until(lambda: gate.steps.count("written") > writes)
        logins.append(asyncio.create_task(add(store, a_session(3))))
        await until(lambda: gate.steps[-1] == "decided")
        disk.failing = "sync"
        gate.open()
        results = await asyncio.gather(*logins, return_exceptions=True)
        assert [type(one) for one in results] == [StoreUnavailable] * 2
        await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")
    assert await store.find(token_of(1)) is not None
    assert await store.find(token_of(3)) is None
    await store.close()
