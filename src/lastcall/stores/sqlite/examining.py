"""Looking into a copy of the database without changing it: is it whole, and does it say so."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import apsw

from lastcall.domain.audit import GENESIS, body_of, content_of, digest_of
from lastcall.domain.backup import Copied
from lastcall.stores.sqlite import opening
from lastcall.stores.sqlite.copying import digest_of_file, head_of, rows_of
from lastcall.stores.sqlite.loading import load, records

AT_ONCE = 1_000
"""Audit records read at once."""

MOST = 5
"""Lines of what SQLite finds that are told; a damaged file has thousands."""


class Damaged(Exception):
    """The copy is not what was made; the text says where, and holds nothing of it."""


def examine(file: Path, copied: Copied) -> Iterator[str]:
    """What was found right, one by one. Raises `Damaged` at the first thing that is not."""
    try:
        yield _same_file(file, copied)
        with closing(_opened(file)) as db:
            yield _whole(db, file)
            yield _as_described(db, copied)
            yield _chain(db, copied)
            yield _loads(db, copied.schema)
    except (apsw.Error, OSError) as error:
        raise Damaged(f"{file} cannot be read: {error}") from error


def _same_file(file: Path, copied: Copied) -> str:
    """First of all: nothing in a file that somebody else made is so much as opened."""
    if file.stat().st_size != copied.size or digest_of_file(file) != copied.sha256:
        raise Damaged(f"{file} is not the file that was backed up: its digest is another")
    return f"{file.name} is the file that was backed up"


def _opened(file: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    db = apsw.Connection(f"file:{quote(str(file.absolute()))}?immutable=1", flags)
    db.pragma("trusted_schema", "off")
    return db


def _whole(db: apsw.Connection, file: Path) -> str:
    said = [str(line) for (line,) in db.execute(f"PRAGMA integrity_check({MOST})").fetchall()]
    if said != ["ok"]:
        raise Damaged(f"{file} is damaged: {'; '.join(said)}")
    return "the database is whole"


def _as_described(db: apsw.Connection, copied: Copied) -> str:
    if not opening.is_backup(db):
        raise Damaged("it is not marked as a backup")
    schema, newest = int(db.pragma("user_version")), len(opening.migrations())
    if schema > newest:
        raise Damaged(f"it has schema {schema}, of a later version; this one knows {newest}")
    described = (copied.schema, copied.batch, copied.seq, copied.digest, dict(copied.rows))
    if (schema, *head_of(db), rows_of(db)) != described:
        raise Damaged("it does not hold what its manifest says")
    return "it holds what its manifest says"


def _chain(db: apsw.Connection, copied: Copied) -> str:
    """From the first record to the last, each by its own words and the digest before it."""
    before, last = GENESIS, 0
    while found := records(db, None, last, AT_ONCE):
        for record in found:
            digest = digest_of(before, content_of(body_of(record.seq, record.event)))
            if record.seq != last + 1 or record.digest != digest:
                raise Damaged(f"audit record {last + 1} is missing or was altered")
            before, last = digest, record.seq
    if last != copied.seq:
        raise Damaged(f"its audit records end at {last}, not at {copied.seq}")
    return f"{last} audit records are one chain"


def _loads(db: apsw.Connection, schema: int) -> str:
    """As a server would read it; an older schema is brought up to date in memory."""
    steps = opening.migrations()
    if schema == len(steps):
        return _loaded(db)
    with closing(apsw.Connection(":memory:")) as current:
        with current.backup("main", db, "main") as copying:
            copying.step(-1)
        opening.migrate(current, steps)
        return _loaded(current)


def _loaded(db: apsw.Connection) -> str:
    return f"{load(db).live_sessions()} sessions that have not ended can be read"
