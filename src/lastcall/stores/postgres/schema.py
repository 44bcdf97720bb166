"""The schema: forward-only steps, and which version of Lastcall may use which schema.

A step says in its first line the oldest version that can still work with what it makes. So an
additive step can be taken while nodes of the version before it run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lastcall.stores.postgres.connecting import Db
from lastcall.stores.postgres.errors import SchemaWrong

LOCK = 0x4C43_414C
"""Keeps two operators from migrating at once: "LCAL"."""

PATIENT = """
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
"""
"""A step takes as long as it takes. For a lock it waits no longer than anybody: who wants the same
table waits behind it."""

READABLE = re.compile(r"-- readable by: (\d+)\n")

RUNNING = "SELECT min(version) FROM followers WHERE lease_until > clock_timestamp()"

LEFT_BEHIND = "DELETE FROM followers WHERE version < $1"
"""Of nodes that sleep, or are just starting: they find their place taken, and stop."""

VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_versions (
    version     integer PRIMARY KEY,
    readable_by integer NOT NULL,
    taken       timestamptz NOT NULL DEFAULT now()
)
"""


ENCODINGS = ("UTF8", "SQL_ASCII")
"""What takes any text: a character that the database cannot hold would fail whoever writes in the
same turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    version: int
    readable_by: int
    sql: str


@cache
def steps() -> Sequence[Step]:
    """In order; the first makes an empty database, none is ever changed."""
    folder = files("lastcall.stores") / "migrations" / "postgres"
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=str)
    made = []
    for version, one in enumerate(found, 1):
        sql = one.read_text(encoding="utf-8")
        head = READABLE.match(sql)
        assert head is not None, one.name
        made.append(Step(version=version, readable_by=int(head[1]), sql=sql))
    return made


async def version_of(db: Db) -> tuple[int, int]:
    """The version of the schema, 0 for an empty database, and the oldest that can use it."""
    if await db.fetchval("SELECT to_regclass('schema_versions')") is None:
        return 0, 0
    found = await db.fetchrow(
        "SELECT coalesce(max(version), 0), coalesce(max(readable_by), 0) FROM schema_versions"
    )
    assert found is not None
    return int(found[0]), int(found[1])


async def check(db: Db, known: Sequence[Step] | None = None) -> int:
    """The version there is. Raises `SchemaWrong` unless this version of Lastcall can use it."""
    ours = len(steps() if known is None else known)
    encoding = await db.fetchval("SHOW server_encoding")
    if encoding not in ENCODINGS:
        raise SchemaWrong(
            f"the database's encoding is {encoding}, which cannot hold every name there is: make"
            " one WITH ENCODING 'UTF8' TEMPLATE template0"
        )
    version, readable_by = await version_of(db)
    if version < ours:
        raise SchemaWrong(
            f"the database has schema {version} and this version of Lastcall needs {ours}:"
            " run `lastcall migrate --up`"
        )
    if readable_by > ours:
        raise SchemaWrong(
            f"the database has schema {version}, which versions before schema {readable_by} cannot"
            f" use, and this one knows {ours}: update Lastcall"
        )
    return version


async def _spare(db: Db, version: int, missing: Sequence[Step]) -> None:
    """Raises `SchemaWrong` for a step that a node which runs cannot work with."""
    oldest = await db.fetchval(RUNNING) if version and missing else None
    if oldest is not None and any(step.readable_by > oldest for step in missing):
        raise SchemaWrong(
            f"a node runs that knows schema {oldest} and cannot work with schema"
            f" {version + len(missing)}: stop all nodes first"
        )


async def migrate(db: Db, known: Sequence[Step] | None = None) -> Sequence[int]:
    """Take the missing steps, all in one transaction; their versions. Raises `SchemaWrong` while a
    node runs that could not go on."""
    async with db.transaction():
        await db.execute(PATIENT)
        await db.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        version, _ = await version_of(db)
        await db.execute(VERSIONS)
        missing = (steps() if known is None else known)[version:]
        await _spare(db, version, missing)
        for step in missing:
            await db.execute(step.sql)
            await db.execute(
                "INSERT INTO schema_versions (version, readable_by) VALUES ($1, $2)",
                step.version,
                step.readable_by,
            )
        if version and missing:
            await db.execute(LEFT_BEHIND, max(step.readable_by for step in missing))
    return [step.version for step in missing]
