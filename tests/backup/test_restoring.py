"""A restored backup revives nothing, however it got to its place."""

import shutil
from pathlib import Path

import pytest

from lastcall.domain.audit import Action
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import EndReason, ReceiptId, SessionId
from lastcall.main import CannotStart
from lastcall.settings import Configured
from lastcall.stores.sqlite import SqliteStore
from tests.backup.making import (
    TENANT,
    alive,
    backed_up,
    configuration,
    filled,
    keys_in,
    restored,
)
from tests.contract.gates import StepGate
from tests.contract.rows import GONE, an_event

pytestmark = pytest.mark.slow
HUNDRED = range(1, 101)


@pytest.fixture
async def settings(tmp_path: Path, keys: Path) -> Configured:
    """Of a store with a hundred sessions, all of them backed up and fifty ended since."""
    made = configuration(tmp_path / "server", keys)
    await filled(made, 100)
    await backed_up(made, tmp_path / "backup")
    store = await SqliteStore.open(made.store)
    async with store.transaction(TENANT) as tx:
        for number in HUNDRED[:50]:
            await tx.end_session(SessionId(f"s{number}"), GONE)
            await tx.record(an_event("logout", TENANT))
        for _ in range(200):
            await tx.next_serial()
    assert await alive(store, HUNDRED) == [*HUNDRED[50:]]
    await store.close()
    return made


async def everything_has_ended(settings: Configured, above: int = 0) -> None:
    for _ in range(2):
        store = await SqliteStore.open(settings.store)
        assert await alive(store, HUNDRED) == []
        ((tenant, receipt_id),) = await store.unswept()
        async with store.transaction(tenant) as tx:
            receipt = await tx.receipt(ReceiptId(receipt_id))
            restorations = [
                one.event
                for one in await tx.records(limit=1_000)
                if one.event.action is Action.STORE_RESTORED
            ]
        assert receipt is not None
        assert receipt.revocation.why is EndReason.STORE_RESTORED
        assert receipt.revocation.reason == "the database was restored from a backup"
        assert receipt.revocation.serial > above
        assert [one.detail["receipt"] for one in restorations] == [receipt_id]
        await store.close()


async def test_over_the_store_it_was_made_of(settings: Configured, tmp_path: Path) -> None:
    aside = restored(settings, tmp_path / "backup")
    await everything_has_ended(settings, above=300)
    assert aside is not None
    assert sorted(aside.parent.glob(f"{aside.name}*")) == [aside], "all of it is in one file"
    settings.store.with_name(settings.store.name + ".witness").unlink()
    aside.rename(settings.store)
    store = await SqliteStore.open(settings.store, accept_rollback=True)
    assert len(store.index.tokens) == 100
    await store.close()


async def test_on_another_machine(settings: Configured, tmp_path: Path, keys: Path) -> None:
    other = configuration(tmp_path / "other", keys)
    assert restored(other, tmp_path / "backup", replace=False) is None
    await everything_has_ended(other)


@pytest.mark.parametrize("witness", ["there", "not there", "of another store"])
async def test_copied_by_hand(settings: Configured, tmp_path: Path, witness: str) -> None:
    beside = settings.store.with_name(settings.store.name + ".witness")
    if witness == "not there":
        beside.unlink()
    elif witness == "of another store":
        other = await SqliteStore.open(tmp_path / "other.db")
        await other.close()
        shutil.copy(tmp_path / "other.db.witness", beside)
    shutil.copy(tmp_path / "backup" / "lastcall.db", settings.store)
    await everything_has_ended(settings)


async def test_a_first_opening_that_fails_is_repeated(settings: Configured, tmp_path: Path) -> None:
    restored(settings, tmp_path / "backup")
    for _ in range(2):
        gate = StepGate()
        gate.fail()
        with pytest.raises(StoreUnavailable):
            await SqliteStore.open(settings.store, step=gate)
    await everything_has_ended(settings)


async def test_a_store_is_replaced_only_when_asked_and_not_in_use(
    settings: Configured, tmp_path: Path
) -> None:
    with pytest.raises(CannotStart, match="exists already"):
        restored(settings, tmp_path / "backup", replace=False)
    store = await SqliteStore.open(settings.store)
    with pytest.raises(CannotStart, match="in use by another process"):
        restored(settings, tmp_path / "backup")
    assert await alive(store, HUNDRED) == [*HUNDRED[50:]]
    await store.close()
    assert [path.name for path in settings.store.parent.glob("*before*")] == []


async def test_what_is_left_of_a_log_is_not_read_into_it(
    settings: Configured, tmp_path: Path
) -> None:
    log = settings.store.with_name(settings.store.name + "-wal")
    store = await SqliteStore.open(settings.store)
    async with store.transaction(TENANT) as tx:
        await tx.record(an_event("later", TENANT))
    left = log.read_bytes()
    await store.close()
    settings.store.unlink()
    log.write_bytes(left)
    with pytest.raises(CannotStart, match="exists already"):
        restored(settings, tmp_path / "backup", replace=False)
    aside = restored(settings, tmp_path / "backup")
    assert aside is not None
    assert aside.with_name(aside.name + "-wal").read_bytes() == left
    await everything_has_ended(settings)


async def test_it_wants_the_key_file_of_then(
    settings: Configured, tmp_path: Path, keys: Path
) -> None:
    other = configuration(tmp_path / "other", keys)
    other.key_file.unlink()
    with pytest.raises(CannotStart, match="is missing"):
        restored(other, tmp_path / "backup", replace=False)
    stranger = configuration(tmp_path / "stranger")
    await keys_in(tmp_path / "stranger")
    shutil.copy(stranger.key_file, other.key_file)
    with pytest.raises(CannotStart, match="not the key file"):
        restored(other, tmp_path / "backup", replace=False)
    other.key_file.write_text("nothing")
    with pytest.raises(CannotStart, match="does not hold"):
        restored(other, tmp_path / "backup", replace=False)
    assert not other.store.exists()
