"""Opening a database: lock it, bring its schema up to date, and ask the witness about it."""

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import apsw

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import Instant
from lastcall.index import Index
from lastcall.stores.sqlite.errors import NotOurs, StoreInUse
from lastcall.stores.sqlite.loading import highest_serial
from lastcall.stores.sqlite.witness import Sighting
from lastcall.witness import RolledBack

APPLICATION_ID = 0x4C43_414C
"""Marks the file as ours, for `file` and for us: "LCAL"."""

BACKUP_ID = 0x4C43_4142
"""Marks a copy of one, "LCAB": opened as a store, it ends every session it holds."""

OLDEST_SQLITE = 3_051_003
"""Before 3.51.3 two connections, one writing and one checkpointing, could damage the log."""

BUSY = 5_000
"""Milliseconds to wait for a lock inside SQLite; ours keeps other processes out."""

SETTINGS = (
    ("journal_mode", "wal", "wal"),
    ("synchronous", "full", 2),
    ("wal_autocheckpoint", 0, 0),
    ("trusted_schema", "off", 0),
)
"""What is asked for, and what must have come of it: durability is not taken on trust."""

ANY_THREAD = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
ONE_THREAD = ANY_THREAD | apsw.SQLITE_OPEN_NOMUTEX
"""For a connection that no two threads use: it takes no lock for each value it gives."""


def lock(path: Path) -> int:
    """A file descriptor that keeps every other process out until it is closed."""
    beside = path.with_name(path.name + ".lock")
    handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreInUse(f"{path} is in use by another process (lock file {beside})") from error
    return handle


def connector(path: Path, vfs: str | None) -> Callable[..., apsw.Connection]:
    """What opens one more connection to the database, which is created for its owner alone.

    Raises `NotOurs` before anything in a file of some other program is changed.
    """
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
        raise NotOurs(f"SQLite {apsw.sqlite_lib_version()} is too old: 3.51.3 is needed")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def connect(flags: int = ANY_THREAD) -> apsw.Connection:
        db = apsw.Connection(str(path), flags, vfs)
        db.set_busy_timeout(BUSY)
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        for name, value, expected in SETTINGS:
            db.pragma(name, value)
            if db.pragma(name) != expected:
                raise StoreUnavailable(f"{path}: {name} cannot be set to {value}")
        return db

    with closing(apsw.Connection(str(path), vfs=vfs)) as db:
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        _recognise(db, path)
    return connect


def _recognise(db: apsw.Connection, path: Path) -> None:
    try:
        application = db.pragma("application_id")
        used = application or db.execute("SELECT count(*) FROM sqlite_schema").get
    except apsw.NotADBError as error:
        raise NotOurs(f"{path} is not a database") from error
    if used and application not in (APPLICATION_ID, BACKUP_ID):
        raise NotOurs(f"{path} is a database of some other program")


def migrations() -> list[str]:
    """The schema's steps in order; the first makes an empty database, none is ever changed."""
    folder = files("lastcall.stores") / "migrations"
    steps = {one.name: one for one in folder.iterdir() if one.name.endswith(".sql")}
    return [steps[name].read_text(encoding="utf-8") for name in sorted(steps)]


def migrate(db: apsw.Connection, steps: Sequence[str]) -> None:
    """Take the missing steps, each in one transaction. Raises `NotOurs` for a newer schema."""
    version = int(db.pragma("user_version"))
    if version > len(steps):
        raise NotOurs(f"schema {version} is newer than this version of Lastcall ({len(steps)})")
    for number, sql in enumerate(steps[version:], version + 1):
        with db:
            db.execute(sql)
            if number == 1:
                db.pragma("application_id", APPLICATION_ID)
            db.pragma("user_version", number)


def is_backup(db: apsw.Connection) -> bool:
    return bool(db.pragma("application_id") == BACKUP_ID)


def mark(db: apsw.Connection, *, backup: bool) -> None:
    db.pragma("application_id", BACKUP_ID if backup else APPLICATION_ID)


def sighting_of(db: apsw.Connection, index: Index) -> Sighting:
    """How far the database itself says it has come."""
    batch, latest = db.execute("SELECT batch, latest FROM head").get
    return Sighting(
        batch=batch,
        seq=index.seq,
        digest=index.digest,
        serial=highest_serial(index),
        latest=Instant(latest),
    )


def compare(db: apsw.Connection, now: Sighting, seen: Sighting | None) -> None:
    """Raises `RolledBack` when the database has not come as far as the witness saw it."""
    if seen is None:
        if now.batch:
            raise RolledBack("the witness is missing, so nothing tells whether this is a backup")
        return
    if now.batch < seen.batch or now.seq < seen.seq:
        raise RolledBack(
            f"the database ends at commit {now.batch} and audit record {now.seq}, "
            f"but its witness saw {seen.batch} and {seen.seq}"
        )
    digest = db.execute("SELECT digest FROM audit WHERE seq = ?", (seen.seq,)).get
    if seen.seq and digest != seen.digest:
        raise RolledBack(f"audit record {seen.seq} is not the one the witness saw")


def reason(error: apsw.Error | OSError, path: Path) -> StoreUnavailable:
    return StoreUnavailable(f"{path} cannot be opened: {error}")
