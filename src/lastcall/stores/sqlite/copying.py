"""Copies of the database, made beside whoever writes it; each marked as a copy, whole or absent."""

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from threading import Event
from time import sleep

import apsw

from lastcall.domain.backup import Copied
from lastcall.domain.errors import Invalid, StoreUnavailable
from lastcall.stores.sqlite import opening

DATABASE = "lastcall.db"
MANIFEST = "manifest.json"

PAGES = 256
"""Pages copied at once, some milliseconds' work in which nothing else is held up."""

PAUSE = 0.002
"""Seconds between two such steps: others get the disk and the processor."""

SYNC_EVERY = 16
"""Steps after which the copy is brought to disk, so that no large sync delays a logout."""

BLOCK = 1 << 20
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"

Step = Callable[[str], None]
"""Told what a copy has come to; a test may stop, fail or end the process there."""


def _no_step(_name: str) -> None:
    return None


class SqliteBackups:
    """Implements `lastcall.ports.Backups`; needs nothing of the store but where its file is."""

    def __init__(self, path: Path, *, pages: int = PAGES, step: Step = _no_step) -> None:
        self._path = path
        self._pages = pages
        self._step = step

    @asynccontextmanager
    async def draft(self, to: str) -> AsyncIterator["SqliteDraft"]:
        place = await asyncio.to_thread(_vacant, Path(to))
        folder = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
        try:
            await asyncio.to_thread(folder.mkdir, 0o700)
            copied = await self._copied(folder / DATABASE)
            yield SqliteDraft(folder, place, copied, self._step)
        except (apsw.Error, OSError) as error:
            raise StoreUnavailable(f"{place} could not be written: {error}") from error
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _copied(self, to: Path) -> Copied:
        """In a thread of its own, which is waited for also by who is told to stop."""
        stop = Event()
        copying = asyncio.create_task(asyncio.to_thread(self._copy, to, stop))
        try:
            return await asyncio.shield(copying)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.gather(copying, return_exceptions=True)
            raise

    def _copy(self, to: Path, stop: Event) -> Copied:
        handle = os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._copy_pages(to, handle, stop)
            self._step("copied")
            with closing(apsw.Connection(str(to))) as db:
                db.pragma("journal_mode", "delete")
                opening.mark(db, backup=True)
                self._step("marked")
                return _described(db, to)
        finally:
            os.close(handle)

    def _copy_pages(self, to: Path, handle: int, stop: Event) -> None:
        """What a reader sees at one moment, however much is written meanwhile."""
        with (
            closing(apsw.Connection(str(self._path), apsw.SQLITE_OPEN_READWRITE)) as db,
            closing(apsw.Connection(str(to))) as target,
        ):
            db.set_busy_timeout(opening.BUSY)
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            target.pragma("journal_mode", "off")
            target.pragma("synchronous", "off")
            db.execute("BEGIN")
            db.execute("SELECT batch FROM head").get  # noqa: B018 - from here on nothing moves
            with target.backup("main", db, "main") as copying:
                steps = 0
                while not copying.done:
                    if stop.is_set():
                        raise StoreUnavailable("told to stop")
                    copying.step(self._pages)
                    steps += 1
                    if steps % SYNC_EVERY == 0:
                        os.fdatasync(handle)
                    self._step("some")
                    sleep(PAUSE)
            db.execute("ROLLBACK")
        os.fsync(handle)


class SqliteDraft:
    """Implements `lastcall.ports.Draft`."""

    def __init__(self, folder: Path, place: Path, copied: Copied, step: Step) -> None:
        self.copied = copied
        self._folder = folder
        self._place = place
        self._step = step

    async def describe(self, manifest: str) -> None:
        await asyncio.to_thread(self._describe, manifest.encode("utf-8"))

    def _describe(self, manifest: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(self._folder / MANIFEST, flags, 0o600), "wb") as file:
            file.write(manifest)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._folder)
        self._step("described")

    async def publish(self) -> None:
        self._step("recorded")
        self._folder.rename(self._place)
        self._step("published")
        await asyncio.to_thread(sync_folder, self._place.parent)


def _vacant(place: Path) -> Path:
    if os.path.lexists(place):
        raise Invalid("folder", f"{place} exists already")
    if not place.name or not place.parent.is_dir():
        raise Invalid("folder", f"{place}: there is no folder to put it in")
    return place


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of_file(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def head_of(db: apsw.Connection) -> tuple[int, int, str]:
    """How far a database has come: its commits, and the end of its audit chain."""
    batch = db.execute("SELECT batch FROM head").get
    for seq, digest in db.execute("SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1"):
        return int(batch), int(seq), bytes(digest).hex()
    return int(batch), 0, ""


def rows_of(db: apsw.Connection) -> dict[str, int]:
    names = [str(name) for (name,) in db.execute(TABLES).fetchall()]
    return {name: int(db.execute(f'SELECT count(*) FROM "{name}"').get) for name in names}  # noqa: S608


def _described(db: apsw.Connection, file: Path) -> Copied:
    batch, seq, digest = head_of(db)
    return Copied(
        file=file.name,
        size=file.stat().st_size,
        sha256=digest_of_file(file),
        schema=int(db.pragma("user_version")),
        batch=batch,
        seq=seq,
        digest=digest,
        rows=rows_of(db),
    )
