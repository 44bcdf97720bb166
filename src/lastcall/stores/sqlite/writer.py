"""The writer: one thread with the one writing connection; many transactions, one fsync."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import perf_counter

import apsw
import msgspec

from lastcall.domain.audit import Record
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import Instant, ReceiptId, Serial, TenantId
from lastcall.index import Change, EndedTogether, Report, Touched, at_of
from lastcall.ports import Observer, Unobserved
from lastcall.stores.sqlite.agents import Agents, agents_in
from lastcall.stores.sqlite.loading import records
from lastcall.stores.sqlite.rows import execute, statements
from lastcall.stores.sqlite.tables import Statement
from lastcall.stores.sqlite.witness import Sighting, Witness

ADVANCE_HEAD = "UPDATE head SET batch = ?, latest = ?"

MOST = 1_024
"""Transactions in one commit, or all that were handed over at once if that is more."""

ENOUGH = 16
"""Transactions that are handed over though more may follow: waiting would save no more."""

CHECKPOINT_PAGES = 1_000
"""Pages in the write-ahead log from which on they are copied back in the background."""

RESTART_PAGES = 16_000
"""Pages from which on the writer itself finishes the copy, so that the log starts over."""

Step = Callable[[str], None]
"""Told what a commit has come to; a test may stop, fail or end the process there."""


class Entry(msgspec.Struct, frozen=True):
    """One transaction on its way, and how far the database has come with it."""

    ticket: int
    statements: Sequence[Statement]
    serial: int
    latest: int
    record: Record | None
    report: Report


class Writer:
    """Implements `lastcall.index.Log`. After the first failure nothing more is tried."""

    def __init__(
        self,
        connect: Callable[[], apsw.Connection],
        witness: Witness,
        sighting: Sighting,
        step: Step,
        checkpoint_pages: int,
    ) -> None:
        self._db = connect()
        self._reader = connect()
        self._checkpoints = Checkpoints(connect())
        self._agents = Agents(agents_in(self._db))
        self._db.set_wal_hook(self._committed_pages)
        self._witness = witness
        self._sighting = sighting
        self._step = step
        self._checkpoint_pages = checkpoint_pages
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[list[Entry] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._decided: list[Entry] = []
        self._pages = 0
        self._failed = False
        self.observer: Observer = Unobserved()

    def start(self) -> None:
        self._checkpoints.start()
        self._thread.start()

    # --- on the event loop ---

    def append(self, ticket: int, changes: Sequence[Change], report: Report) -> bool:
        serial = latest = 0
        record: Record | None = None
        for change in changes:
            if isinstance(change, Touched):
                latest = max(latest, change.at)
            elif isinstance(change, EndedTogether):
                latest = max(latest, change.end.at)
            elif isinstance(change.after, int):
                serial = max(serial, change.after)
            elif change.after is not None:
                latest = max(latest, at_of(change.after))
                record = change.after if isinstance(change.after, Record) else record
        made = statements(changes, self._agents)
        self._step("decided")
        self._hand_over_later(Entry(ticket, made, serial, latest, record, report))
        return False

    def _hand_over_later(self, entry: Entry) -> None:
        """Together with all that is decided before the loop has a round without another.

        A writer that is woken for each of them goes from one to the next in small commits, and
        takes the interpreter from the loop for each.
        """
        if not self._decided:
            self._loop.call_soon(self._hand_over_if_quiet, 0)
        self._decided.append(entry)

    def _hand_over_if_quiet(self, before: int) -> None:
        if before < len(self._decided) < ENOUGH:
            self._loop.call_soon(self._hand_over_if_quiet, len(self._decided))
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._decided:
            self._queue.put(self._decided)
            self._decided = []

    def records(
        self, tenant: TenantId | None, after: int, limit: int, receipt: ReceiptId | None = None
    ) -> Sequence[Record]:
        return records(self._reader, tenant, after, limit, receipt)

    async def close(self) -> None:
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._checkpoints.stop)
        with closing(self._db), closing(self._reader):
            if not self._failed:
                await asyncio.to_thread(self._tidy)

    def _tidy(self) -> None:
        """Leave an empty log behind. Raises `StoreUnavailable`; what was answered is kept."""
        try:
            self._reader.close()
            self._checkpoints.check()
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._witness.sync()
        except (apsw.Error, OSError) as error:
            raise StoreUnavailable(f"the store could not be closed tidily: {error}") from error

    # --- on the writer's thread ---

    def _run(self) -> None:
        while batch := self._next_batch():
            last = batch[-1]
            error: BaseException | None = None
            try:
                self._commit(batch)
            except BaseException as raised:  # noqa: BLE001 - whatever it was, nothing is durable
                error = raised
                self._failed = True
            try:
                self._loop.call_soon_threadsafe(last.report, last.ticket, error)
            except RuntimeError:  # the loop is closed: nobody is left to tell
                return
            if error is not None:
                return
            self._step("reported")

    def _next_batch(self) -> list[Entry]:
        """Everything that has queued, empty when it is time to stop."""
        entries = self._queue.get()
        batch: list[Entry] = []
        while entries is not None:
            batch += entries
            if len(batch) >= MOST:
                break
            try:
                entries = self._queue.get_nowait()
            except Empty:
                break
            if entries is None:
                self._queue.put(None)
        return batch

    def _commit(self, batch: Sequence[Entry]) -> None:
        self._checkpoints.check()
        began = perf_counter()
        seen = _after(self._sighting, batch)
        self._step("taken")
        self._db.execute("BEGIN IMMEDIATE")
        execute(self._db, chain.from_iterable(entry.statements for entry in batch))
        self._db.execute(ADVANCE_HEAD, (seen.batch, seen.latest))
        self._step("written")
        syncing = perf_counter()
        self._db.execute("COMMIT")
        synced = perf_counter()
        self._step("committed")
        self._witness.write(seen)
        self._sighting = seen
        self._step("witnessed")
        self.observer.synced(synced - syncing)
        self.observer.committed(len(batch), perf_counter() - began)
        if self._pages > RESTART_PAGES:
            checkpoint(self._db)

    def _committed_pages(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        if pages > self._checkpoint_pages:
            self._checkpoints.wanted.set()
        return apsw.SQLITE_OK


class Checkpoints:
    """Copies the log back into the database beside the writer, on a connection of its own."""

    def __init__(self, db: apsw.Connection) -> None:
        self.wanted = Event()
        self._db = db
        self._error: apsw.Error | None = None
        self._stop = False
        self._thread = Thread(target=self._run, name="store-checkpoints", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Raises what a checkpoint failed with: a page whose sync failed is not to be trusted."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while self.wanted.wait() and not self._stop:
            self.wanted.clear()
            try:
                checkpoint(self._db)
            except apsw.Error as error:
                self._error = error
                return

    def stop(self) -> None:
        self._stop = True
        self.wanted.set()
        self._thread.join()
        self._db.close()


def checkpoint(db: apsw.Connection) -> None:
    """Copy what can be copied without stopping anybody; somebody else may be at it already."""
    try:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:
        return


def _after(seen: Sighting, batch: Sequence[Entry]) -> Sighting:
    records = [entry.record for entry in batch if entry.record is not None]
    return Sighting(
        batch=seen.batch + 1,
        seq=records[-1].seq if records else seen.seq,
        digest=records[-1].digest if records else seen.digest,
        serial=Serial(max(seen.serial, *(entry.serial for entry in batch))),
        latest=Instant(max(seen.latest, *(entry.latest for entry in batch))),
    )
