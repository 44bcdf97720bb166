"""Reading the database into an index, as it was at one position of the feed."""

import asyncio
from dataclasses import dataclass

from lastcall.domain.audit import Record
from lastcall.domain.types import Instant
from lastcall.index import Index
from lastcall.rows import Table
from lastcall.stores.postgres.connecting import Db, drop
from lastcall.stores.postgres.tables import TABLES

TOGETHER = 5_000
"""Rows read at a time; requests that can be answered are, between."""

PIECE = 60.0
"""Seconds for each piece: a network that is gone says nothing."""

BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = '60s';
SET LOCAL plan_cache_mode = auto;
"""
HEAD = """
SELECT epoch, h.seq, latest, batch FROM feed_head AS h LEFT JOIN feed AS f ON f.seq = h.seq
"""
CHAIN = "SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Loaded:
    index: Index
    epoch: str
    seq: int
    latest: Instant
    tip: str | None = None


async def load(db: Db, within: float = PIECE) -> Loaded:
    """All of it from one snapshot, which holds nobody up. What fails leaves no connection."""
    try:
        await db.execute(BEGIN, timeout=within)
        loaded = await _loaded(db, within)
        await db.execute("COMMIT", timeout=within)
    except BaseException:
        drop(db)
        raise
    return loaded


async def _loaded(db: Db, within: float) -> Loaded:
    epoch, seq, latest, tip = await db.fetchrow(HEAD, timeout=within)
    index = Index()
    for kind, table in TABLES.items():
        if kind is not Record:
            await _rows(db, table, index, within)
    for last, digest in await db.fetch(CHAIN, timeout=within):
        index.seq, index.digest = last, digest
    return Loaded(index, epoch, seq, Instant(latest), tip)


async def _rows(db: Db, table: Table, index: Index, within: float) -> None:
    listed = ", ".join(table.names)
    order = ", ".join(table.primary)
    sql = f"SELECT {listed} FROM {table.name} ORDER BY {order}"  # noqa: S608
    cursor = await db.cursor(sql, timeout=within)
    while rows := await cursor.fetch(TOGETHER, timeout=within):
        for row in rows:
            index.place(row[0], None, table.fact(row))
        await asyncio.sleep(0)
