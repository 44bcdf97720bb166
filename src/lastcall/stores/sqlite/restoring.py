"""Putting a backup in the place of the database: before the last step nothing has changed."""

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import apsw

from lastcall.domain.backup import Copied
from lastcall.domain.errors import StoreUnavailable
from lastcall.stores.sqlite import opening
from lastcall.stores.sqlite.copying import BLOCK, sync_folder
from lastcall.stores.sqlite.examining import Damaged

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""

Step = Callable[[str], None]


def _no_step(_name: str) -> None:
    return None


class Occupied(StoreUnavailable):
    """There is a database in the place already."""


def restore(
    file: Path, copied: Copied, path: Path, *, aside: Path | None, step: Step = _no_step
) -> None:
    """Put a copy of `file` where the database belongs, which keeps the mark of a backup.

    A database that is there is kept as `aside`; without that it is `Occupied`. Raises
    `StoreInUse`, `Damaged` when `file` is not what was backed up, and `StoreUnavailable`.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = opening.lock(path)
        try:
            if aside is None and in_the_way(path):
                raise Occupied(f"{path} exists already")
            _copy(file, copied, draft)
            step("copied")
            if aside is not None:
                _keep(path, aside, step)
            draft.replace(path)
            step("in place")
            sync_folder(path.parent)
        finally:
            draft.unlink(missing_ok=True)
            os.close(held)
    except OSError as error:
        raise StoreUnavailable(f"{path} could not be restored: {error}") from error


def in_the_way(path: Path) -> bool:
    """A database, or what is left of one: a log would be read into whatever lies beside it."""
    return any(os.path.lexists(path.with_name(path.name + suffix)) for suffix in ("", *BESIDE))


def _copy(file: Path, copied: Copied, draft: Path) -> None:
    """What is judged is what was written, not what the file said when it was looked at."""
    found = hashlib.sha256()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with file.open("rb") as source, os.fdopen(os.open(draft, flags, 0o600), "wb") as target:
        while block := source.read(BLOCK):
            found.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    if found.hexdigest() != copied.sha256:
        raise Damaged(f"{file} is not the file that was backed up: its digest is another")


def _keep(path: Path, aside: Path, step: Step) -> None:
    """A second name for the old database, complete in one file if it can still be opened.

    What is left of its log must not lie beside another database, which it would be read into.
    """
    if path.exists():
        with suppress(apsw.Error), closing(apsw.Connection(str(path))) as db:
            db.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018 - finds the log
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        step("settled")
        os.link(path, aside)
    step("kept")
    for suffix in BESIDE:
        left = path.with_name(path.name + suffix)
        if suffix == "-shm" or (left.exists() and not left.stat().st_size):
            left.unlink(missing_ok=True)
        elif left.exists():
            left.rename(aside.with_name(aside.name + suffix))
    sync_folder(path.parent)
    step("cleared")
