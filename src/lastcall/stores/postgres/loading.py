"""Reading the database into an index, as it was at one position of the feed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from lastcall.domain.audit import Record
from lastcall.domain.session import Device, Session
from lastcall.domain.types import Instant
from lastcall.index import Adoption, Index, Progress, undisturbed
from lastcall.rows import OWN, Agent, Row, Table
from lastcall.stores.postgres.connecting import Db, drop
from lastcall.stores.postgres.tables import TABLES

TOGETHER = 2_000
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
HOW_MANY = "SELECT count(*) FROM sessions"
CHAIN = "SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Loaded:
    index: Index
    epoch: str
    seq: int
    latest: Instant
    tip: str | None = None


async def load(db: Db, within: float = PIECE, progress: Progress | None = None) -> Loaded:
    """All of it from one snapshot, which holds nobody up. What fails leaves no connection."""
    try:
        await db.execute(BEGIN, timeout=within)
        with undisturbed():
            loaded = await _loaded(db, within, progress)
        await db.execute("COMMIT", timeout=within)
    except BaseException:
        drop(db)
        raise
    return loaded


async def _loaded(db: Db, within: float, progress: Progress | None) -> Loaded:
    epoch, seq, latest, tip = await db.fetchrow(HEAD, timeout=within)
    index = Index()
    for kind, table in TABLES.items():
        if kind is Session:
            await _sessions(db, index, within, progress)
        elif kind is not Record:
            await _facts(db, table, index, within)
    for last, digest in await db.fetch(CHAIN, timeout=within):
        index.seq, index.digest = last, digest
    return Loaded(index, epoch, seq, Instant(latest), tip)


async def _facts(db: Db, table: Table, index: Index, within: float) -> None:
    def take(rows: Sequence[Row]) -> None:
        for row in rows:
            index.place(row[0], None, table.fact(row))

    await _read(db, table, within, take)


async def _sessions(db: Db, index: Index, within: float, progress: Progress | None) -> None:
    agents = _Agents()
    adoption = Adoption(index, agents.known)
    total = await db.fetchval(HOW_MANY, timeout=within) if progress else 0
    done, own = 0, len(OWN)

    def take(rows: Sequence[Row]) -> None:
        nonlocal done
        adoption.add([(*row[:own], agents.number(row[own:])) for row in rows])
        done += len(rows)
        if progress:
            progress(done, total)

    await _read(db, TABLES[Session], within, take)


class _Agents:
    """Numbers for the hosts, user agents and devices met: few for very many sessions."""

    def __init__(self) -> None:
        self.known: dict[int, Agent] = {}
        self._numbers: dict[Row, int] = {}

    def number(self, told: Row) -> int:
        number = self._numbers.get(told)
        if number is None:
            host, user_agent, device = told
            number = self._numbers[told] = len(self.known)
            self.known[number] = (host, user_agent, msgspec.json.decode(device, type=Device))
        return number


async def _read(db: Db, table: Table, within: float, take: Callable[[Sequence[Row]], None]) -> None:
    """While some rows are taken, the database gets the next ready."""
    listed = ", ".join(table.names)
    order = ", ".join(table.primary)
    sql = f"SELECT {listed} FROM {table.name} ORDER BY {order}"  # noqa: S608
    cursor = await db.cursor(sql, timeout=within)
    coming = asyncio.ensure_future(cursor.fetch(TOGETHER, timeout=within))
    try:
        while rows := await coming:
            coming = asyncio.ensure_future(cursor.fetch(TOGETHER, timeout=within))
            await asyncio.sleep(0)
            take(rows)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
