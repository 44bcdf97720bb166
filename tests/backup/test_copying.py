"""A copy is of one moment, whatever is written meanwhile, and is judged down to its last byte."""

import asyncio
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from lastcall.domain.backup import Copied
from lastcall.domain.errors import Invalid, StoreUnavailable
from lastcall.domain.types import SessionId
from lastcall.settings import Configured
from lastcall.stores.sqlite import SqliteBackups, SqliteStore
from lastcall.stores.sqlite.copying import digest_of_file
from lastcall.stores.sqlite.examining import Damaged, examine
from tests.backup.making import TENANT, backed_up, configuration, filled, is_good, keys_in
from tests.contract.rows import GONE, a_session, an_event, fill

pytestmark = pytest.mark.slow


@pytest.fixture
async def settings(tmp_path: Path, keys: Path) -> Configured:
    made = configuration(tmp_path / "server", keys)
    await filled(made, 20)
    await backed_up(made, tmp_path / "backup")
    return made


async def copy(backups: SqliteBackups, to: Path) -> Copied:
    async with backups.draft(str(to)) as draft:
        await draft.describe("{}")
        await draft.publish()
        return draft.copied


async def test_it_is_of_one_moment_under_load(tmp_path: Path) -> None:
    """Each session begins with one record and ends with another: no copy has half of it."""
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, checkpoint_pages=20)
    await fill(store, 200)
    acknowledged, going = 0, True

    async def work(first: int) -> None:
        nonlocal acknowledged
        number = first
        while going:
            async with store.transaction(TENANT) as tx:
                await tx.add_session(a_session(number, TENANT, serial=await tx.next_serial()))
                await tx.record(an_event("began", TENANT))
            async with store.transaction(TENANT) as tx:
                await tx.end_session(SessionId(f"s{number}"), GONE)
                await tx.record(an_event("ended", TENANT))
            acknowledged += 1
            number += 4

    workers = [asyncio.create_task(work(1_000 + first)) for first in range(4)]
    steps: list[str] = []

    def wait_for_others(step: str) -> None:
        """In the thread that copies: nobody who writes may wait for it."""
        steps.append(step)
        before, end = acknowledged, time.monotonic() + 60
        while step == "some" and acknowledged == before:
            assert time.monotonic() < end, "logouts wait for the copy"
            time.sleep(0.001)

    for number in range(3):
        before = acknowledged
        to = tmp_path / f"backup{number}"
        copied = await copy(SqliteBackups(path, pages=2, step=wait_for_others), to)
        assert list(examine(to / "lastcall.db", copied))
        assert copied.rows["audit"] >= 2 * before, "what was acknowledged is in it"
        with_ends = apsw.Connection(f"file:{to / 'lastcall.db'}?immutable=1", 0x41)
        ended = with_ends.execute("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL").get
        assert copied.rows["audit"] == copied.rows["sessions"] - 200 + ended
        with_ends.close()
    going = False
    await asyncio.gather(*workers)
    await store.close()
    assert steps.count("some") > 30


async def test_who_gives_up_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await fill(store, 500)
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell(_step: str) -> None:
        loop.call_soon_threadsafe(begun.set)

    backups = SqliteBackups(path, pages=1, step=tell)
    copying = asyncio.create_task(copy(backups, tmp_path / "backup"))
    await begun.wait()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await store.close()
    assert [name for name in os.listdir(tmp_path) if "backup" in name] == []


async def test_nothing_is_written_over(settings: Configured, tmp_path: Path) -> None:
    for taken in ("backup", "server/lastcall.toml"):
        with pytest.raises(Invalid, match="exists already"):
            await backed_up(settings, tmp_path / taken)
    with pytest.raises(Invalid, match="no folder to put it in"):
        await backed_up(settings, tmp_path / "nowhere" / "backup")
    assert is_good(tmp_path / "backup", settings)


async def test_a_store_that_is_no_database_cannot_be_copied(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("nothing " * 1_000)
    with pytest.raises(StoreUnavailable, match="could not be written"):
        await copy(SqliteBackups(tmp_path / "store.db"), tmp_path / "backup")
    assert os.listdir(tmp_path) == ["store.db"]


@pytest.mark.parametrize("name", ["lastcall.db", "manifest.json"])
async def test_any_byte_that_changed_is_noticed(
    settings: Configured, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "backup" / name
    assert is_good(tmp_path / "backup", settings)
    whole = file.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        if not whole[at : at + 1].isspace():
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert not is_good(tmp_path / "backup", settings), at
    for size in (0, 1, len(whole) // 2, len(whole) - 2):
        file.write_bytes(whole[:size])
        assert not is_good(tmp_path / "backup", settings), size
    file.unlink()
    assert not is_good(tmp_path / "backup", settings)
    file.write_bytes(whole)
    assert is_good(tmp_path / "backup", settings)


async def test_a_manifest_of_somebody_else(settings: Configured, tmp_path: Path) -> None:
    stranger = configuration(tmp_path / "stranger")
    await keys_in(tmp_path / "stranger")
    await backed_up(stranger, tmp_path / "theirs")
    assert is_good(tmp_path / "theirs", stranger)
    assert not is_good(tmp_path / "theirs", settings)
    file = tmp_path / "backup" / "manifest.json"
    shown = json.loads(file.read_text())
    others: list[object] = [{**shown, "more": 1}, {"signed": 1}, [], {**shown, "backup": {}}]
    for other in others:
        file.write_text(json.dumps(other))
        assert not is_good(tmp_path / "backup", settings)


def altered(file: Path, copied: Copied, sql: str) -> Copied:
    """Changed by somebody who can sign as well: only the contents tell."""
    with apsw.Connection(str(file)) as db:
        db.execute(sql)
    db.close()
    return replace(copied, size=file.stat().st_size, sha256=digest_of_file(file))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE audit SET target = 'nobody' WHERE seq = 2", "record 2 is missing or was altered"),
        ("UPDATE audit SET seq = 9 WHERE seq = 3", "does not hold"),
        ("DELETE FROM sessions WHERE id = 's3'", "does not hold"),
        ("UPDATE head SET batch = 1", "does not hold"),
        ("PRAGMA application_id = 0x4c43414c", "not marked as a backup"),
        ("PRAGMA user_version = 99", "of a later version"),
    ],
)
async def test_contents_that_do_not_add_up(tmp_path: Path, sql: str, words: str) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await fill(store, 5)
    async with store.transaction(TENANT) as tx:
        for _ in range(3):
            await tx.record(an_event("x", TENANT))
    copied = await copy(SqliteBackups(path), tmp_path / "backup")
    await store.close()
    file = tmp_path / "backup" / "lastcall.db"
    assert len(list(examine(file, copied))) == 5
    with pytest.raises(Damaged, match=words):
        list(examine(file, altered(file, copied, sql)))


async def test_a_page_that_was_damaged_before_it_was_copied(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await fill(store, 300)
    copied = await copy(SqliteBackups(path), tmp_path / "backup")
    await store.close()
    file = tmp_path / "backup" / "lastcall.db"
    raw = bytearray(file.read_bytes())
    raw[-4096 - 8 : -4096 + 64] = b"\xff" * 72
    file.write_bytes(raw)
    with pytest.raises(Damaged):
        list(examine(file, replace(copied, sha256=digest_of_file(file))))
