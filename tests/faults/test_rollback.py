"""A database that is older than its witness serves nobody, until everything in it is ended."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lastcall.domain.audit import Action
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import OfTenant
from lastcall.domain.session import State, state_of
from lastcall.domain.types import EndReason, Instant, ReceiptId, SessionId
from lastcall.stores.sqlite import RolledBack, SqliteStore
from lastcall.witness import SLOT
from tests.contract.gates import StepGate
from tests.contract.rows import (
    GONE,
    NOW,
    ONE,
    TWO,
    a_revocation,
    a_session,
    an_event,
    fill,
    serials_up_to,
    token_of,
)

Body = Callable[[SqliteStore], Awaitable[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def session_of(path: Path, body: Body, **options: bool) -> None:
    store = await SqliteStore.open(path, **options)  # type: ignore[arg-type]
    try:
        await body(store)
    finally:
        await store.close()


async def begin(store: SqliteStore) -> None:
    await fill(store)
    await fill(store, 1, tenant=TWO)
    async with store.transaction(ONE) as tx:
        await tx.record(an_event("begin"))


async def end_one(store: SqliteStore) -> None:
    async with store.transaction(ONE) as tx:
        await serials_up_to(tx, 90)
        await tx.end_session(SessionId("s1"), GONE)
        await tx.record(an_event("logout"))


async def only_a_serial(store: SqliteStore) -> None:
    async with store.transaction(ONE) as tx:
        await tx.next_serial()


def copy(path: Path, name: str) -> Path:
    """The database alone, without its witness: what people back up."""
    backup = path.with_name(name)
    shutil.copy(path, backup)
    return backup


def restore(backup: Path, path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(backup, path)


def remove(path: Path) -> None:
    path.unlink()


def witness_of(path: Path) -> Path:
    return path.with_name(path.name + ".witness")


@pytest.mark.parametrize("since", [end_one, only_a_serial])
async def test_a_backup_put_back_is_refused(path: Path, since: Body) -> None:
    await session_of(path, begin)
    backup = copy(path, "backup")
    await session_of(path, since)
    restore(backup, path)
    for _ in range(2):
        with pytest.raises(RolledBack, match="its witness saw"):
            await SqliteStore.open(path)


async def test_accepting_it_ends_everything_and_happens_once(path: Path) -> None:
    await session_of(path, begin)
    backup = copy(path, "backup")
    await session_of(path, end_one)
    restore(backup, path)
    for options in ({"accept_rollback": True}, {}, {"accept_rollback": True}):
        store = await SqliteStore.open(path, **options)  # type: ignore[arg-type]
        assert store.floor == NOW
        for number, tenant in ((1, ONE), (2, ONE), (3, ONE), (1, TWO)):
            found = await store.find(token_of(number, tenant))
            assert found is not None
            assert state_of(found.session, NOW, found.revoked_before) is State.REVOKED
        assert len(await store.unswept()) == 2
        for tenant in (ONE, TWO):
            async with store.transaction(tenant) as tx:
                records = [one.event for one in await tx.records()]
                assert [one.action for one in records].count(Action.STORE_RESTORED) == 1
                receipt = await tx.receipt(ReceiptId(records[-1].detail["receipt"]))
                assert receipt is not None
                assert receipt.revocation.scope == OfTenant()
                assert receipt.revocation.why is EndReason.STORE_RESTORED
                assert receipt.revocation.serial > 90, "above everything the witness saw"
                assert await tx.serial() == receipt.revocation.serial
        await store.close()


@pytest.mark.parametrize("backup_is", ["older", "without its witness"])
async def test_failing_to_end_everything_leaves_it_refused(path: Path, backup_is: str) -> None:
    await session_of(path, begin)
    if backup_is == "older":
        backup = copy(path, "backup")
        await session_of(path, end_one)
        restore(backup, path)
    else:
        remove(witness_of(path))
    gate = StepGate()
    gate.fail()
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(path, accept_rollback=True, step=gate)
    with pytest.raises(RolledBack):
        await SqliteStore.open(path)


async def test_another_history_of_the_same_length_is_refused(path: Path) -> None:
    await session_of(path, begin)
    for name in ("one", "two"):
        (path.parent / name).mkdir()
        for file in (path, witness_of(path)):
            shutil.copy(file, path.parent / name)

    async def other_end(store: SqliteStore) -> None:
        async with store.transaction(ONE) as tx:
            await tx.record(an_event("something else"))
            await tx.end_session(SessionId("s2"), GONE)

    await session_of(path.parent / "one" / path.name, end_one)
    await session_of(path.parent / "two" / path.name, other_end)
    await session_of(path.parent / "two" / path.name, only_a_serial)
    shutil.copy(witness_of(path.parent / "one" / path.name), path.parent / "two")
    with pytest.raises(RolledBack, match="audit record 2 is not the one"):
        await SqliteStore.open(path.parent / "two" / path.name)


async def test_a_missing_witness_or_database_is_a_rollback(path: Path) -> None:
    await session_of(path, begin)
    kept = witness_of(path).rename(path.with_name("kept"))
    with pytest.raises(RolledBack, match="witness is missing"):
        await SqliteStore.open(path)
    kept.rename(witness_of(path))
    remove(path)
    with pytest.raises(RolledBack, match="ends at commit 0"):
        await SqliteStore.open(path)
    await session_of(path, begin, accept_rollback=True)
    await session_of(path, end_one)


async def test_a_database_nothing_was_ever_written_to_needs_no_witness(path: Path) -> None:
    await (await SqliteStore.open(path)).close()
    witness_of(path).unlink()
    await session_of(path, begin)


def tear(path: Path, at: int) -> None:
    raw = bytearray(witness_of(path).read_bytes())
    raw[at : at + 20] = b"torn" * 5
    witness_of(path).write_bytes(raw)


@pytest.mark.parametrize("slot", [0, SLOT])
async def test_a_torn_slot_of_the_witness_is_survived(path: Path, slot: int) -> None:
    await session_of(path, begin)
    await session_of(path, end_one)
    tear(path, slot + 30)
    await session_of(path, only_a_serial)


async def test_the_other_slot_still_notices_a_rollback(path: Path) -> None:
    await session_of(path, begin)
    backup = copy(path, "backup")
    await session_of(path, end_one)
    await session_of(path, end_one)
    for slot in (0, SLOT):
        kept = witness_of(path).read_bytes()
        restore(backup, path)
        tear(path, slot + 30)
        with pytest.raises(RolledBack):
            await SqliteStore.open(path)
        witness_of(path).write_bytes(kept)


async def test_a_witness_that_says_nothing_is_a_rollback(path: Path) -> None:
    await session_of(path, begin)
    for slot in (0, SLOT):
        tear(path, slot + 30)
    with pytest.raises(RolledBack, match="cannot be read"):
        await SqliteStore.open(path)


async def test_a_flipped_bit_in_the_log_is_noticed(path: Path) -> None:
    """SQLite stops reading at a frame that does not add up, and says nothing."""
    (path.parent / "copy").mkdir()
    copied = path.parent / "copy" / path.name

    async def many(store: SqliteStore) -> None:
        await fill(store, 0)
        for number in range(1, 21):
            async with store.transaction(ONE) as tx:
                await tx.add_session(a_session(number, serial=await tx.next_serial()))
                await tx.add_revocation(a_revocation(await tx.next_serial(), at=Instant(NOW)))
        for suffix in ("", "-wal", ".witness"):
            shutil.copy(path.with_name(path.name + suffix), copied.parent)

    await session_of(path, many)
    wal = copied.with_name(copied.name + "-wal")
    raw = bytearray(wal.read_bytes())
    raw[len(raw) // 2] ^= 1
    wal.write_bytes(raw)
    with pytest.raises(RolledBack):
        await SqliteStore.open(copied)
