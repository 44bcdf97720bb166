"""The SQLite store: the index in memory, SQLite as its log, and a witness beside both."""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import apsw

from lastcall.domain.access import operator
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import OfTenant, Revocation
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, EndReason, Instant, ReceiptId, TenantId
from lastcall.index import Change, Index, IndexStore, IndexTransaction, Loading, Progress
from lastcall.ports import Observer
from lastcall.stores.sqlite import opening
from lastcall.stores.sqlite.agents import forget_unused
from lastcall.stores.sqlite.loading import load
from lastcall.stores.sqlite.witness import Sighting, Witness
from lastcall.stores.sqlite.writer import CHECKPOINT_PAGES, Step, Writer
from lastcall.witness import RolledBack

ORIGIN = Origin(dialect=DialectName("store"))
ROLLBACK = "the database was rolled back"
BACKUP = "the database was restored from a backup"


def _no_step(_name: str) -> None:
    return None


class SqliteStore(IndexStore):
    """`floor` is the latest instant on record: a clock must not begin before it."""

    backend = "sqlite"

    def __init__(self, index: Index, writer: Writer, floor: Instant, held: ExitStack) -> None:
        super().__init__(index, writer)
        self._writer = writer
        self.floor = floor
        self._held = held

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        witness: Path | None = None,
        accept_rollback: bool = False,
        vfs: str | None = None,
        step: Step = _no_step,
        checkpoint_pages: int = CHECKPOINT_PAGES,
        progress: Progress | None = None,
    ) -> "SqliteStore":
        """Open or create the database at `path`; its witness is `PATH.witness` unless told.

        It is read whole before this returns, so nobody is served by a store that is not complete;
        `progress` is told how far that has come.
        Raises `RolledBack` when the witness has seen more than is there, unless the rollback is
        accepted: then every session in the database is revoked. A backup in the place of the
        database is accepted without asking, in the same way. Raises `StoreInUse`, `NotOurs`.
        """
        watch = Witness(witness or path.with_name(path.name + ".witness"))
        with ExitStack() as opened:
            try:
                opened.callback(os.close, opening.lock(path))
                opened.callback(watch.close)
                connect = opening.connector(path, vfs)
                with closing(connect(opening.ONE_THREAD)) as db:
                    opening.migrate(db, opening.migrations())
                    forget_unused(db)
                    began = perf_counter()
                    index = load(db, progress)
                    loading = Loading(len(index.tokens), perf_counter() - began)
                    restored = opening.is_backup(db)
                    now, rolled_back = _witnessed(db, index, watch, restored)
                if rolled_back is not None and not (accept_rollback or restored):
                    raise rolled_back
                watch.begin(now)
                writer = Writer(connect, watch, now, step, checkpoint_pages)
            except (apsw.Error, OSError) as error:
                raise opening.reason(error, path) from error
            store = cls(index, writer, now.latest, opened.pop_all())
            store.loading = loading
        writer.start()
        if rolled_back is not None:
            await store._revoke_everything(now, restored)
        if restored:
            await store._adopt(connect)
        return store

    async def _revoke_everything(self, now: Sighting, restored: bool) -> None:
        """End every session of every tenant, in one unit, with serials above any ever seen."""
        changes: list[Change] = []
        for tenant in list(self.index.shelves):
            tx = IndexTransaction(self.index, tenant, self._history)
            await tx.raise_serial(now.serial)
            await _revoke(tx, tenant, now, BACKUP if restored else ROLLBACK)
            changes += tx.changes
        try:
            self._submit(changes)
            await self._wait_for(self._submitted)
        except StoreUnavailable:
            await self.close()
            raise

    async def _adopt(self, connect: Callable[[], apsw.Connection]) -> None:
        """Everything in the backup has ended: from now on it is a database like any other."""
        try:
            with closing(connect()) as db:
                opening.mark(db, backup=False)
        except apsw.Error as error:
            await self.close()
            raise StoreUnavailable(f"the backup could not be taken over: {error}") from error

    def watch(self, observer: Observer) -> None:
        super().watch(observer)
        self._writer.observer = observer

    async def close(self) -> None:
        with self._held:
            await super().close()


def _witnessed(
    db: apsw.Connection, index: Index, watch: Witness, restored: bool
) -> tuple[Sighting, RolledBack | None]:
    """Where to go on from, and what the witness says against the database.

    After a rollback the count of commits goes on above everything seen, so that the witness keeps
    objecting until the commit that revokes every session.
    """
    now = opening.sighting_of(db, index)
    seen: Sighting | None = None
    objection = RolledBack(BACKUP) if restored else None
    try:
        seen = watch.read()
        opening.compare(db, now, seen)
    except RolledBack as error:
        objection = error
    if seen is not None:
        now = replace(
            now,
            batch=max(now.batch, seen.batch),
            serial=max(now.serial, seen.serial),
            latest=max(now.latest, seen.latest),
        )
    return (replace(now, batch=now.batch + 1) if objection else now), objection


async def _revoke(tx: IndexTransaction, tenant: TenantId, now: Sighting, reason: str) -> None:
    revocation = Revocation(
        id=ReceiptId(f"r_restored_{now.batch}"),
        tenant=tenant,
        scope=OfTenant(),
        serial=await tx.next_serial(),
        at=now.latest,
        why=EndReason.STORE_RESTORED,
        by=None,
        by_name="",
        reason=reason,
        via=ORIGIN.dialect,
    )
    await tx.add_revocation(revocation)
    detail = {"receipt": revocation.id}
    caller = operator(tenant, ORIGIN)
    await tx.record(event_by(caller, now.latest, Action.STORE_RESTORED, detail=detail))
