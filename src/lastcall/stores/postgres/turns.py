"""Turns: one node writes at a time, whatever has queued on it, in one transaction.

Whoever holds the lock on the head of the feed has the turn. It catches up first, so what its
bodies read is what all nodes have written; bodies of all nodes are serial. PostgreSQL throws out
who holds the turn and says nothing, and what it was about to write with it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from time import perf_counter
from typing import Protocol

import structlog

from lastcall.domain.errors import StoreUnavailable
from lastcall.index import IndexTransaction
from lastcall.ports import Observer, Unobserved
from lastcall.stores.postgres.applying import OutOfStep
from lastcall.stores.postgres.batch import Batch
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
from lastcall.stores.postgres.doubts import Doubt
from lastcall.stores.postgres.reading import Absorbed, Come, Head, read
from lastcall.witness import RolledBack

log = structlog.stdlib.get_logger("store")

MOST = 1_024
"""Bodies in one turn."""

LONGEST = 0.05
"""Seconds after which the turn is given up although more bodies wait: others write too."""

TAKE = "BEGIN; SELECT 1 FROM feed_head FOR UPDATE"
OWN = "SELECT batch FROM feed WHERE seq = $1"
PROVE = "UPDATE feed_head SET latest = latest"

Step = Callable[[str], Awaitable[None]]


async def no_step(_name: str) -> None:
    return None


class Commit(Enum):
    DONE = auto()
    NOT = auto()
    UNKNOWN = auto()


@dataclass(slots=True)
class Writing:
    """What one turn is about to write, and who waits for what becomes of it."""

    seq: int
    batch: Batch = field(default_factory=Batch)
    doubt: Doubt = field(init=False)
    bodies: list[IndexTransaction] = field(default_factory=list)
    entered: int = 0
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    error: StoreUnavailable | None = None
    over: bool = False

    @property
    def reached(self) -> int:
        """How far the feed was when its bodies had run."""
        return self.seq if self.batch.feed else self.seq - 1

    def __post_init__(self) -> None:
        self.doubt = Doubt(self.seq)

    async def outcome(self) -> None:
        """Return once it is durable; raises `StoreUnavailable` where that is not so, or unknown."""
        if not self.over:
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            await waiter
        elif self.error is not None:
            raise again(self.error)

    def finish(self, error: StoreUnavailable | None = None) -> None:
        self.over, self.error = True, self.error or error
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                if self.error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(again(self.error))


def again(failed: StoreUnavailable) -> StoreUnavailable:
    """A fresh exception for each caller: tracebacks are not shared."""
    error = StoreUnavailable(failed.detail)
    error.__cause__ = failed.__cause__
    return error


class Writes(Protocol):
    """The store, as turns see it."""

    epoch: str
    position: int
    vouched: int
    writing: Writing | None

    @property
    def come(self) -> Come: ...

    def absorb(self, head: Head) -> Absorbed: ...
    def add_uses(self, batch: Batch) -> None:
        """Whatever uses of sessions are to be written by now."""
        ...

    def committed(self, writing: Writing) -> None:
        """It is durable."""
        ...

    def undone(self, writing: Writing) -> None:
        """It never was: take it back."""
        ...

    def proven(self, seq: int) -> None:
        """Everything up to there is durable."""
        ...

    def give_up(self, error: BaseException) -> None: ...
    def reload_soon(self) -> None: ...


class Turns:
    def __init__(self, server: Server, node: str, store: Writes, step: Step = no_step) -> None:
        self.observer: Observer = Unobserved()
        self.busy = asyncio.Lock()
        self.db: Db | None = None
        self._server = server
        self._node = node
        self._store = store
        self._step = step
        self._warned: Warned | None = None
        self._queue: deque[asyncio.Future[None]] = deque()
        self._wanted = asyncio.Event()
        self._idle: asyncio.Future[None] | None = None
        self._until = 0.0
        self._closing = False

    @property
    def patience(self) -> float:
        """Seconds that the database may take for an answer."""
        return self._server.answering

    # --- for bodies ---

    async def enter(self) -> None:
        """Return when the caller may begin; it must `leave`. Raises `StoreUnavailable`."""
        if self._closing:
            raise StoreUnavailable("the store is closed")
        granted = asyncio.get_running_loop().create_future()
        self._queue.append(granted)
        self._wanted.set()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self.leave()
            raise

    def leave(self) -> None:
        """Let the next body begin, or end the turn."""
        writing = self._store.writing
        assert writing is not None
        if writing.entered >= MOST or perf_counter() > self._until or not self._grant(writing):
            assert self._idle is not None
            self._idle.set_result(None)

    def _grant(self, writing: Writing) -> bool:
        while self._queue:
            granted = self._queue.popleft()
            if not granted.done():
                writing.entered += 1
                granted.set_result(None)
                return True
        return False

    def want(self) -> None:
        """Take a turn although no body waits."""
        self._wanted.set()

    # --- the task ---

    async def run(self) -> None:
        while True:
            if not self._queue:
                if self._closing and not self._wanted.is_set():
                    return
                await self._wanted.wait()
            self._wanted.clear()
            try:
                async with self.busy:
                    await self._turn()
            except (*TROUBLE, StoreUnavailable) as error:
                log.warning("no turn", error=type(error).__name__)
                drop(self.db)
                self.db = None
                if isinstance(error, RolledBack):
                    self._store.give_up(error)
                self.refuse(unavailable(error, "taking the turn"))
                await asyncio.sleep(0.01)
            except Exception as error:  # noqa: BLE001 - a mistake of ours: nothing is sure
                self._store.give_up(error)
                self.refuse(unavailable(error, "taking the turn"))
                return

    async def close(self) -> None:
        """Once what has queued is written `run` returns."""
        self._closing = True
        self._wanted.set()

    async def let_go(self) -> None:
        await close(self.db)

    def refuse(self, error: StoreUnavailable) -> None:
        """Tell the bodies that wait for a turn."""
        queue, self._queue = self._queue, deque()
        for one in queue:
            if not one.done():
                one.set_exception(again(error))

    async def _turn(self) -> None:
        db = await self._take()
        writing = Writing(self._store.position + 1)
        self._store.writing = writing
        began = perf_counter()
        try:
            await self._bodies(writing)
            self._store.add_uses(writing.batch)
            if writing.batch.feed:
                outcome = await self._write(db, writing)
            else:
                outcome = await self._end_reading(db)
        except BaseException as error:
            self._undo(writing, unavailable(error, "writing"))
            raise
        if outcome is Commit.UNKNOWN:
            try:
                outcome = await self._resolved(writing)
            except BaseException as error:
                writing.finish(unavailable(error, "looking for a write"))
                raise
        if outcome is Commit.NOT:
            self._undo(writing, StoreUnavailable("the database did not take what was written"))
            return
        self._store.writing = None
        try:
            if writing.batch.feed:
                self._store.committed(writing)
                self.observer.committed(len(writing.bodies), perf_counter() - began)
        finally:
            writing.finish()  # it is durable, whatever else fails

    async def _take(self) -> Db:
        """The turn, with everything applied that anybody wrote before."""
        waiting = perf_counter()
        try:
            db = await self._begun(self.db)
        except TROUBLE:
            if self.db is None or perf_counter() - waiting > self._server.connecting:
                raise
            drop(self.db)  # it may have broken while nobody used it
            db = await self._begun(None)
        store, within = self._store, self._server.answering
        self.observer.waited_turn(perf_counter() - waiting)
        while True:
            head = await read(db, store.come, within)
            match store.absorb(head):
                case Absorbed.ALL:
                    if head.vouched > store.vouched:
                        store.proven(min(head.vouched, store.position))
                    return db
                case Absorbed.MORE:
                    continue
                case _:
                    store.reload_soon()
                    raise StoreUnavailable("this node is too far behind, and reads all anew")

    async def _begun(self, db: Db | None) -> Db:
        if db is None:
            self.db = None
            db = self.db = await connect_soon(self._server, f"{self._node} writes")
            self._warned = Warned(db)
        await db.execute(TAKE, timeout=self._server.answering)
        return db

    async def _bodies(self, writing: Writing) -> None:
        self._until = perf_counter() + LONGEST
        self._idle = asyncio.get_running_loop().create_future()
        if self._grant(writing):
            await self._idle

    async def _write(self, db: Db, writing: Writing) -> Commit:
        store, batch = self._store, writing.batch
        sql, arguments, must = batch.statement()
        head = (writing.seq, store.epoch, batch.id, self._node, batch.changes(), batch.latest)
        counts = await db.fetchrow(sql, *head, *arguments, timeout=self._server.answering)
        expected = (1, *must)
        if any(
            count != one for count, one in zip(counts, expected, strict=True) if one is not None
        ):
            raise OutOfStep(f"changed {list(counts)} rows and not {list(expected)}")
        await self._step("written")
        return await self._commit(db)

    async def _end_reading(self, db: Db) -> Commit:
        """What was read may not be beyond doubt: then a commit shows that it is."""
        if self._store.position <= self._store.vouched:
            await db.execute("ROLLBACK", timeout=self._server.answering)
            return Commit.DONE
        outcome = await self._commit(db)
        if outcome is Commit.DONE:
            self._store.proven(self._store.position)
            return outcome
        raise StoreUnavailable("what was read could not be proven durable")

    async def _commit(self, db: Db) -> Commit:
        """Never cancelled: PostgreSQL would say it is done, and that standbys may not have it."""
        assert self._warned is not None
        heard, began = self._warned.heard, perf_counter()
        committing = asyncio.ensure_future(db.execute("COMMIT"))
        done, _ = await asyncio.wait({committing}, timeout=self._server.answering)
        if not done:
            drop(db)
            await asyncio.wait({committing})
        error = committing.exception()
        await asyncio.sleep(0)
        if error is not None or not done or self._warned.heard != heard:
            log.warning("a commit has no clear answer", error=type(error).__name__)
            drop(db)
            self.db = None
            return Commit.UNKNOWN
        self.observer.synced(perf_counter() - began)
        return Commit.DONE if committing.result() == "COMMIT" else Commit.NOT

    async def _resolved(self, writing: Writing) -> Commit:
        """Look for it under the lock it was written under, until a commit of that look stands."""
        patience, end = 0.02, perf_counter() + self._server.answering
        while True:
            try:
                found = await self._look(writing)
            except TROUBLE as error:
                log.warning("what became of a commit is unknown", error=type(error).__name__)
                found = Commit.UNKNOWN
            if found is not Commit.UNKNOWN:
                return found
            drop(self.db)
            self.db = None
            lost = StoreUnavailable("what became of a write is not known")
            self.refuse(lost)
            if perf_counter() > end or self._closing:
                writing.finish(lost)
            if self._closing:
                raise lost
            await asyncio.sleep(patience)
            patience = min(0.5, 2 * patience)

    async def _look(self, writing: Writing) -> Commit:
        db = self.db = await connect_soon(self._server, f"{self._node} writes")
        self._warned = Warned(db)
        store = self._store
        await db.execute(TAKE, timeout=self._server.answering)
        head = await read(db, store.come, self._server.answering)
        if head.epoch != store.epoch or head.seq < store.vouched:
            raise RolledBack("the database is older than this node has seen it")
        within = self._server.answering
        own = await db.fetchval(OWN, writing.seq, timeout=within)
        if own != writing.batch.id:
            await db.execute("ROLLBACK", timeout=within)
            return Commit.NOT
        await db.execute(PROVE, timeout=within)
        return await self._commit(db)

    def _undo(self, writing: Writing, error: StoreUnavailable) -> None:
        self._store.undone(writing)
        self._store.writing = None
        writing.finish(error)
