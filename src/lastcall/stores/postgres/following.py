"""Following: what other nodes write, how long this one may answer, and who has come how far.

One task with one connection. Each round renews the lease when that is due, then reads what is
new; a lease begins when its renewal was sent, and counts only after the reading that follows it.
NOTIFY is no more than a hint that makes a round come sooner.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import structlog

from lastcall.domain.errors import StoreUnavailable
from lastcall.stores.postgres.connecting import (
    TROUBLE,
    Db,
    Server,
    Warned,
    close,
    connect_soon,
    drop,
    unavailable,
)
from lastcall.stores.postgres.errors import NameTaken
from lastcall.stores.postgres.reading import Absorbed, Followed, Name, now, read
from lastcall.witness import RolledBack

log = structlog.stdlib.get_logger("store")

LONG_OVER = -3_600.0
"""The lease of a guest, in seconds."""

PRUNE_EVERY, KEPT = 30.0, 300.0
"""Seconds between looks for changes that nobody needs any more, and how long all are kept. Who has
not been heard of for ten minutes is not kept for: it reads everything anew."""

PRUNED = 10_000
"""Changes removed at a time."""

CHANNEL = "lastcall"

PROMPT = 0.05
"""Seconds; what takes longer tells too little of what time it is there."""

RENEW = """
UPDATE followers
SET lease_until = coalesce(clock_timestamp() + $3::float8 * interval '1 second', lease_until),
    applied = greatest(applied, $4)
WHERE node = $1 AND instance = $2
RETURNING set_config('synchronous_commit', $5, true)
"""
CONFIRM = """
WITH mine AS (
    UPDATE followers SET applied = greatest(applied, $3) WHERE node = $1 AND instance = $2
    RETURNING 1
)
SELECT node, applied, rank, extract(epoch FROM lease_until - clock_timestamp())::float8,
    CASE WHEN $5 <> '' THEN pg_notify($4, $5) END, (SELECT count(*) FROM mine),
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM followers WHERE lease_until > clock_timestamp() - $6 * interval '1 second' OR node = $1
"""
PRUNE = f"""
WITH gone AS (DELETE FROM followers WHERE lease_until < clock_timestamp() - interval '1 day')
DELETE FROM feed WHERE seq IN (
    SELECT seq FROM feed
    WHERE seq < (SELECT h.seq FROM feed_head AS h)
        AND seq <= (
            SELECT min(applied) FROM followers
            WHERE lease_until > clock_timestamp() - interval '10 minutes'
        )
        AND at < (extract(epoch FROM clock_timestamp()) - $1) * 1000
    ORDER BY seq LIMIT {PRUNED}
)
"""  # noqa: S608 - a number of ours
LET_GO = "UPDATE followers SET lease_until = clock_timestamp() WHERE node = $1 AND instance = $2"

FORGET = "DELETE FROM followers WHERE node = $1 AND instance = $2"


LONGEST = 1.0
"""Seconds that a check waits for the database at most, and after which it is known not to answer.
It is less where the lease is less than twice as long."""


def _too_late(asked: asyncio.Future[None]) -> None:
    if not asked.done():
        asked.set_exception(StoreUnavailable("the database does not answer in time"))


@dataclass(slots=True)
class Peer:
    applied: int
    rank: int
    until: float


class Following:
    """`peers` are the other nodes that may answer, as last seen; `on_time` is told again and again
    what time it is by the database, in nanoseconds."""

    def __init__(self, server: Server, name: Name, store: Followed) -> None:
        self.name = name
        self.peers: dict[str, Peer] = {}
        self.fresh_until = 0.0
        self.leads = False
        self.on_reached: Callable[[str, int], None] = lambda _node, _seq: None
        self.on_lapsed: Callable[[str], None] = lambda _node: None
        self.on_time: Callable[[int], None] = lambda _nanoseconds: None
        self.behind = 0
        self._server = replace(server, answering=min(server.answering, max(1.0, name.lease)))
        self._store = store
        self._db: Db | None = None
        self._warned: Warned | None = None
        self._asked: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._taken = 0
        self._stale = False
        self._renewed = 0.0
        self._lagging = False
        self.prune_at = now() + PRUNE_EVERY
        self._seen = 0
        self.told = 0
        self._urgent = False
        self._closing = False
        self._patience = min(LONGEST, max(0.5, name.lease / 2))
        self._tried: float | None = None
        self._failed = False

    @property
    def fresh(self) -> bool:
        return now() < self.fresh_until

    @property
    def spread(self) -> int:
        """Up to where every node that may answer has come, as far as known."""
        return min((self._seen, *(peer.applied for peer in self.peers.values())))

    @property
    def silent(self) -> bool:
        """Whether the database has left unanswered for too long what was asked of it."""
        return self._tried is not None and now() - self._tried > self._patience

    @property
    def cut_off(self) -> bool:
        """`silent`, and it was no long reading: what was tried has failed."""
        return self._failed and self.silent

    async def caught_up(self) -> None:
        """Return once everything committed before this call is applied here.

        Raises `StoreUnavailable`, and at once while the database is silent: rounds go on, and the
        first that succeeds ends that. Those who ask meanwhile share one reading.
        """
        if self._closing:
            raise StoreUnavailable("the store is closed")
        if self.silent:
            raise StoreUnavailable("the database does not answer")
        loop = asyncio.get_running_loop()
        asked = loop.create_future()
        self._asked.append(asked)
        self._wake.set()
        timer = loop.call_later(self._patience, _too_late, asked)
        try:
            await asked
        finally:
            timer.cancel()

    def look(self) -> None:
        """Read soon what is new."""
        self._stale = True
        self._wake.set()

    def answered(self) -> None:
        """The database has answered this node elsewhere: it is worth waiting for again."""
        if self._tried is not None:
            self._tried, self._failed = now(), False

    def tell(self) -> None:
        """Let others know soon how far this node has come, and see how far they have."""
        self._urgent = True
        self._wake.set()

    async def begin(self) -> None:
        """The first round, with which the lease begins. Raises what `TROUBLE` lists."""
        await self._round(renew=True)

    async def run(self) -> None:
        patience = 0.05
        while not self._closing:
            await self._until_due()
            asked, self._asked = self._asked, []
            self._taken = len(asked)
            if self._tried is None:
                self._tried = now()
            try:
                await self._round(renew=now() - self._renewed >= self.name.lease / 4)
            except (*TROUBLE, StoreUnavailable) as error:
                if isinstance(error, RolledBack | NameTaken):
                    self._store.give_up(error)
                self._failed = self._stale = self._lagging = True
                log.warning("following", error=type(error).__name__)
                self._fail(asked, error)
                if self.cut_off:
                    self._store.cut_off()
                drop(self._db)
                self._db = None
                await asyncio.sleep(patience)
                patience = min(0.25, 2 * patience)
            except Exception as error:  # noqa: BLE001 - a mistake of ours: nothing is sure
                self._fail(asked, error)
                self._store.give_up(error)
                return
            else:
                patience, self._tried, self._failed = 0.05, None, False
                for one in asked:
                    if not one.done():
                        one.set_result(None)

    async def close(self) -> None:
        """Give the lease back: nobody needs to wait for it to run out."""
        self._closing = True
        self._wake.set()
        self._fail(self._asked, StoreUnavailable("the store is closed"))

    async def let_go(self) -> None:
        self.fresh_until = 0.0
        if self._db is not None:
            with suppress(*TROUBLE):
                leave = FORGET if self.name.guest else LET_GO
                await self._db.execute(leave, self.name.node, self.name.instance, timeout=2)
        await close(self._db)

    # --- one round ---

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while not (self._asked or self._urgent or self._stale or self._closing):
            awaited = [one.until for one in self.peers.values() if one.applied < self._seen]
            left = min(self._renewed + self.name.lease / 4, *awaited, now() + 60) - now()
            if left <= 0:
                return
            self._wake.clear()
            timer = loop.call_later(left, self._wake.set)
            await self._wake.wait()
            timer.cancel()

    async def _round(self, *, renew: bool) -> None:
        db = self._db or await self._connected()
        reading = renew or self._stale or bool(self._taken)
        urgent, self._stale = self._urgent, False
        if renew and self._lagging:
            await self._read(db)  # others wait for whoever holds a lease: it has to be of use
        sent = now()
        if renew:
            await self._renew(db, LONG_OVER if self.name.guest else self.name.lease)
        if reading:
            await self._read(db)
        if renew:
            self._renewed = sent
            self.fresh_until = sent + self.name.lease
        self._urgent = self._lagging = False
        lapsed = any(one.applied < self._seen and now() >= one.until for one in self.peers.values())
        if urgent or renew or lapsed or self.told < self._store.vouched:
            await self._confirm(db)
        if self.leads and sent > self.prune_at:
            done = await db.execute(PRUNE, KEPT, timeout=self._server.answering)
            more = done == f"DELETE {PRUNED}"
            self.prune_at = sent + (1.0 if more else PRUNE_EVERY)

    async def _connected(self) -> Db:
        db = self._db = await connect_soon(self._server.at_once, f"{self.name.node} follows")
        self._warned = Warned(db)
        async with asyncio.timeout(self._server.answering):
            await db.add_listener(CHANNEL, self._notified)
        return db

    async def _renew(self, db: Db, lease: float | None) -> None:
        """Durably: whoever writes after a crash of the database must know of the lease. Without one
        it shows only that all it can see is durable."""
        name, warned = self.name, self._warned
        assert warned is not None
        heard = warned.heard
        values = (name.node, name.instance, lease, self._store.vouched, self._server.commits)
        found = await db.fetch(RENEW, *values, timeout=self._server.answering)
        if not found:
            raise self._replaced()
        await asyncio.sleep(0)
        if warned.heard != heard:
            raise StoreUnavailable("the database did not wait for its standbys")

    async def _read(self, db: Db) -> None:
        store = self._store
        end = now() + self._server.answering
        while True:
            head = await read(db, store.come, self._server.answering)
            self.behind = max(0, head.seq - store.position)
            if head.seq > max(head.vouched, store.vouched):
                await self._renew(db, None)
                head.vouched = head.seq
            absorbed = store.absorb(head)
            store.proven(min(head.vouched, store.position))
            if absorbed is Absorbed.ALL:
                self.behind = 0
                return
            if absorbed is Absorbed.GAP:
                await store.reload(db)
            elif absorbed is Absorbed.BLOCKED:
                if now() > end:
                    raise StoreUnavailable("what became of a write is not known yet")
                await asyncio.sleep(0.005)

    async def _confirm(self, db: Db) -> None:
        """Say how far this node has come, and see how far the others have."""
        name, seq = self.name, self._store.vouched
        told = f"{name.node} {seq}"
        sent = now()
        rows = await self._exchanged(db, seq, told)
        at, rank = now(), None
        peers: dict[str, Peer] = {}
        for node, applied, its_rank, left, _, mine, time in rows:
            if not mine:
                break
            if node == name.node:
                rank = its_rank
                if at - sent < PROMPT:
                    self.on_time(1_000 * time + round(5e8 * (at - sent)))
            else:
                before = self.peers.get(node)
                known = max(applied, before.applied if before else 0)
                peers[node] = Peer(known, its_rank, at + left + name.margin + 0.005)
                self.on_reached(node, known)
        if rank is None:
            raise self._replaced()
        for node in self.peers.keys() - peers.keys():
            self.on_lapsed(node)
        self.peers, self._seen, self.told = peers, max(self._seen, seq), seq
        led, self.leads = (
            self.leads,
            not name.guest and all(rank < peer.rank for peer in peers.values()),
        )
        self._store.moved()
        if self.leads and not led:
            self._store.took_over()

    async def _exchanged(self, db: Db, seq: int, told: str) -> Sequence[Any]:
        """A queue of notifications that is full delays what others hear, and stops nothing."""
        name, within = self.name, self._server.answering
        values = (name.node, name.instance, seq, CHANNEL)
        try:
            return await db.fetch(CONFIRM, *values, told, name.margin, timeout=within)
        except asyncpg.ProgramLimitExceededError:
            log.warning("the database takes no notifications")
            return await db.fetch(CONFIRM, *values, "", name.margin, timeout=within)

    def _replaced(self) -> NameTaken:
        return NameTaken(
            f"this node's place is taken: by another one called {self.name.node}, or because the"
            " database was declared restored, or migrated beyond what this version can use"
        )

    def _notified(self, _db: object, _pid: int, _channel: str, text: str) -> None:
        node, _, seq = text.rpartition(" ")
        if node == self.name.node or not seq.isdecimal():
            return
        peer = self.peers.get(node)
        if peer is not None and int(seq) > peer.applied:
            peer.applied = int(seq)
            self.on_reached(node, int(seq))
            self._store.moved()
        if int(seq) > self._store.position:
            self._stale = True
            self._wake.set()

    def _fail(self, asked: Sequence[asyncio.Future[None]], error: BaseException) -> None:
        for one in asked:
            if not one.done():
                one.set_exception(unavailable(error, "catching up"))
