"""Reading the database into an index, as it was at one position of the feed."""

import asyncio
from dataclasses import dataclass

from lastcall.domain.audit import Record
from lastcall.domain.types import Instant
from lastcall.index import Index
from lastcall.rows import Table
from lastcall.stores.postgres.connecting import Db
from lastcall.stores.postgres.tables import TABLES

TOGETHER = 5_000
"""Rows read at a time; requests that can be answered are, between."""

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


async def load(db: Db) -> Loaded:
    """All of it from one snapshot, which holds nobody up."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        await db.execute("SET LOCAL statement_timeout = 0")
        await db.execute("SET LOCAL idle_in_transaction_session_timeout = '60s'")
        await db.execute("SET LOCAL plan_cache_mode = auto")
        epoch, seq, latest, tip = await db.fetchrow(HEAD)
        index = Index()
        for kind, table in TABLES.items():
            if kind is not Record:
                await _rows(db, table, index)
        for last, digest in await db.fetch(CHAIN):
            index.seq, index.digest = last, digest
    return Loaded(index, epoch, seq, Instant(latest), tip)


async def _rows(db: Db, table: Table, index: Index) -> None:
    listed = ", ".join(table.names)
    order = ", ".join(table.primary)
    cursor = await db.cursor(f"SELECT {listed} FROM {table.name} ORDER BY {order}")  # noqa: S608
    while rows := await cursor.fetch(TOGETHER):
        for row in rows:
            index.place(row[0], None, table.fact(row))
        await asyncio.sleep(0)
