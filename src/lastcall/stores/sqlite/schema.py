"""The schema of a database that is not open; a start takes missing steps by itself."""

import os
from contextlib import closing
from pathlib import Path

import apsw

from lastcall.ports.schema import Schema
from lastcall.stores.sqlite import opening
from lastcall.stores.sqlite.errors import NotOurs


def schema_of(path: Path, *, up: bool) -> Schema:
    """Raises `StoreInUse` when steps are to be taken while a server runs, and `NotOurs`."""
    steps = opening.migrations()
    try:
        before = _version(path)
        if before > len(steps):
            raise NotOurs(f"{path}: schema {before} is newer than this version of Lastcall")
        if up:
            handle = opening.lock(path)
            try:
                with closing(opening.connector(path, None)()) as db:
                    opening.migrate(db, steps)
            finally:
                os.close(handle)
    except (apsw.Error, OSError) as error:
        raise opening.reason(error, path) from error
    after = len(steps) if up else before
    return Schema(version=after, newest=len(steps), taken=tuple(range(before + 1, after + 1)))


def _version(path: Path) -> int:
    if not path.exists():
        return 0
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        return int(db.pragma("user_version"))
