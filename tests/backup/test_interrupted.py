"""kill -9 or a full disk, while a backup is made or put back: nothing, or everything."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lastcall.stores.sqlite import RolledBack, SqliteBackups, SqliteStore
from lastcall.stores.sqlite.copying import digest_of_file
from tests.backup.making import TENANT, alive
from tests.contract.rows import fill

pytestmark = pytest.mark.fault
NUMBERS = range(1, 201)


def run(verb: str, path: Path, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.backup.child", verb, path, folder],
        env={**os.environ, **environ},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "server" / "store.db"
    path.parent.mkdir()
    store = await SqliteStore.open(path)
    await fill(store, len(NUMBERS), TENANT)
    await store.close()
    return path


@pytest.mark.parametrize("step", ["some", "copied", "marked", "described", "recorded", "published"])
async def test_making_one_is_killed(path: Path, tmp_path: Path, step: str) -> None:
    to = tmp_path / "backups" / "today"
    to.parent.mkdir()
    assert run("create", path, to, FAIL=step).returncode == -signal.SIGKILL
    assert to.exists() == (step == "published")
    if step == "published":
        described = (to / "manifest.json").read_text()
        size = (to / "lastcall.db").stat().st_size
        assert described == f"{digest_of_file(to / 'lastcall.db')} {size}"
    else:
        assert run("create", path, to).returncode == 0, "what is left is in nobody's way"
    store = await SqliteStore.open(path)
    assert len(await alive(store, NUMBERS)) == len(NUMBERS)
    await store.close()


@pytest.mark.parametrize("full_at", [0, 4_096, 40_000, 100_000])
async def test_the_disk_fills_while_one_is_made(path: Path, tmp_path: Path, full_at: int) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    done = run("create", path, folder / "today", LARGEST=str(full_at))
    assert done.returncode == 1
    assert "StoreUnavailable" in done.stderr
    assert list(folder.iterdir()) == []


DAMAGED = b"nothing" * 1_000


async def one_commit_in_the_log(path: Path) -> tuple[bytes, bytes]:
    """The database without its newest commit, and the log with it."""
    store = await SqliteStore.open(path)
    async with store.transaction(TENANT) as tx:
        await tx.next_serial()
    found = read(path)
    await store.close()
    return found


def read(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()


def write(path: Path, database: bytes, log: bytes) -> None:
    path.write_bytes(database)
    path.with_name(path.name + "-wal").write_bytes(log)


def is_damaged(path: Path) -> bool:
    return path.read_bytes() == DAMAGED


RESTORING = ["copied", "settled", "kept", "cleared", "in place"]


@pytest.mark.parametrize("step", RESTORING)
@pytest.mark.parametrize("before", ["whole", "with a log", "damaged"])
async def test_putting_one_back_is_killed(
    path: Path, tmp_path: Path, step: str, before: str
) -> None:
    backup = tmp_path / "today"
    async with SqliteBackups(path).draft(str(backup)) as draft:
        await draft.publish()
    if before == "with a log":
        write(path, *await one_commit_in_the_log(path))
    elif before == "damaged":
        write(path, DAMAGED, b"neither")
    assert run("restore", path, backup, FAIL=step).returncode == -signal.SIGKILL
    if before == "damaged" and step != "in place":
        assert is_damaged(path)
        return
    store = await SqliteStore.open(path)
    left_alive = await alive(store, NUMBERS)
    assert len(left_alive) == (0 if step == "in place" else len(NUMBERS))
    await store.close()


async def test_the_disk_fills_while_one_is_put_back(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "today"
    async with SqliteBackups(path).draft(str(backup)) as draft:
        await draft.publish()
    before = sorted(path.parent.iterdir())
    done = run("restore", path, backup, LARGEST="40000")
    assert (done.returncode, "StoreUnavailable" in done.stderr) == (1, True)
    assert sorted(path.parent.iterdir()) == before
    store = await SqliteStore.open(path)
    assert len(await alive(store, NUMBERS)) == len(NUMBERS)
    await store.close()


async def test_an_older_copy_without_its_log_is_never_taken_for_the_newest(path: Path) -> None:
    """What a restore that was killed leaves of a database whose log could not be folded in."""
    database, _ = await one_commit_in_the_log(path)
    write(path, database, b"")
    with pytest.raises(RolledBack):
        await SqliteStore.open(path)
