"""Opening a node: the schema, the rows, the witness, a name among the nodes, and a lease."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import asyncpg

from lastcall.domain.access import operator
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import OfTenant, Revocation
from lastcall.domain.origin import Origin
from lastcall.domain.types import (
    DialectName,
    Duration,
    EndReason,
    Instant,
    ReceiptId,
    Serial,
    TenantId,
)
from lastcall.index import IndexTransaction, Loading, Progress
from lastcall.ports.schema import Schema
from lastcall.stores.postgres import schema
from lastcall.stores.postgres.batch import Batch
from lastcall.stores.postgres.connecting import (
    NO_ADDRESS,
    TROUBLE,
    Db,
    Server,
    Warned,
    close,
    connect,
)
from lastcall.stores.postgres.errors import NameTaken, NotShared, SchemaWrong
from lastcall.stores.postgres.loading import Loaded, load
from lastcall.stores.postgres.reading import Name, now
from lastcall.stores.postgres.store import PostgresStore
from lastcall.stores.postgres.turns import TAKE, Step, no_step
from lastcall.stores.postgres.witness import Sighting, Witness
from lastcall.witness import RolledBack

ORIGIN = Origin(dialect=DialectName("store"))

REGISTER = """
INSERT INTO followers (node, instance, applied, lease_until, version)
VALUES ($1, $2, $3, '-infinity', $4)
ON CONFLICT (node) DO UPDATE
SET instance = excluded.instance, applied = excluded.applied, version = excluded.version,
    lease_until = '-infinity'
WHERE followers.lease_until < clock_timestamp() - $5 * interval '1 second'
RETURNING 1
"""
SHARE = """
WITH mine AS (
    INSERT INTO shared (name, value) VALUES ('key', $1) ON CONFLICT DO NOTHING RETURNING value
)
SELECT value FROM mine UNION ALL SELECT value FROM shared WHERE name = 'key' LIMIT 1
"""
LEASES = """
SELECT coalesce(max(extract(epoch FROM lease_until - clock_timestamp())), 0)::float8
FROM followers WHERE lease_until > clock_timestamp()
"""
LONGEST_LEASE = 600.0
"""Seconds; what is left of a lease by another clock may be nonsense."""

TIME = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


async def open_store(
    server: Server,
    name: Name,
    *,
    witness: Path | None = None,
    strict: bool = True,
    accept_rollback: bool = False,
    shared: str = "",
    step: Step = no_step,
    progress: Progress | None = None,
) -> PostgresStore:
    """A node that follows and may write.

    An empty database gets its tables. With `accept_rollback` every session in the database is
    revoked, whatever the witness says: a restored one carries no mark of it. `progress` is told
    how much has been read. Raises `SchemaWrong`, `NameTaken`, `RolledBack`, or another
    `StoreUnavailable`.
    """
    server = server.within(name.lease)
    name = replace(name, instance=uuid4().hex)
    watch = Witness(witness) if witness is not None else None
    try:
        db = await connect(server, f"{name.node} starts")
    except (*TROUBLE, *NO_ADDRESS) as error:
        raise _refused(error, f"{server.shown} cannot be reached") from error
    try:
        began = perf_counter()
        if (await schema.version_of(db))[0] == 0:
            await schema.migrate(db)
        await schema.check(db)
        await share(db, shared)
        loaded = await load(db, progress=progress)
        if accept_rollback:
            loaded = await revoke_everything(db, loaded, _remembered(watch))
        else:
            await compare(db, loaded, watch.read() if watch is not None else None)
        await register(db, name, loaded.seq, len(schema.steps()))
        await schema.check(db)  # from here on a step that leaves this node behind removes its place
        offset = await _offset(db)
    except TROUBLE as error:
        raise _refused(error, f"{server.shown} cannot be opened") from error
    finally:
        await close(db)
    store = PostgresStore(loaded, server, name, watch, strict=strict, step=step)
    store.offset = offset
    store.loading = Loading(len(loaded.index.tokens), perf_counter() - began)
    if watch is not None:
        watch.begin(store.sighting())
    try:
        await store.begin_following()
    except BaseException:
        await store.close()
        raise
    return store


def _refused(error: BaseException, doing: str) -> StoreUnavailable:
    """With what PostgreSQL or its driver says: there are no rows yet that could be quoted."""
    says = isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError)
    told = error.args[0] if says and error.args else ""
    text = str(told) or type(error).__name__
    refused = StoreUnavailable(f"{doing}: {text}")
    refused.__cause__ = error
    return refused


async def share(db: Db, value: str) -> None:
    """Raises `NotShared` unless it is what the first node had; empty is not asked about."""
    if value and await db.fetchval(SHARE, value) != value:
        raise NotShared(
            "the key file is not the one of the other nodes: give this node a copy of theirs"
        )


def _remembered(watch: Witness | None) -> Sighting | None:
    """What is known of the database that was lost, if anything."""
    try:
        return watch.read() if watch is not None else None
    except RolledBack:
        return None


async def compare(db: Db, loaded: Loaded, seen: Sighting | None) -> None:
    """Raises `RolledBack` when the database has not come as far as the witness saw it."""
    if seen is None:
        return
    if seen.epoch != loaded.epoch:
        known = await db.fetchval("SELECT 1 FROM epochs WHERE epoch = $1", seen.epoch)
        if not known:
            raise RolledBack(
                "the database is another one than this node has seen, or older than that"
            )
        return
    if loaded.seq < seen.seq or loaded.index.seq < seen.chain:
        raise RolledBack(
            f"the database is older than this node has seen it: it ends at change {loaded.seq} and"
            f" audit record {loaded.index.seq}, and was seen at {seen.seq} and {seen.chain}"
        )
    digest = await db.fetchval("SELECT digest FROM audit WHERE seq = $1", seen.chain)
    if seen.chain and digest != seen.digest:
        raise RolledBack(f"audit record {seen.chain} is not the one this node has seen")


async def register(db: Db, name: Name, applied: int, version: int) -> None:
    """Take the name, as soon as whoever had it can hold no lease any more. Raises `NameTaken`."""
    end, warned = now() + 2 * (name.lease + name.margin), Warned(db)
    values = (name.node, name.instance, applied, version, name.margin)
    while not await db.fetchval(REGISTER, *values):
        if now() > end:
            raise NameTaken(
                f"another node is called {name.node} and is alive: name this one in [store] node"
            )
        await asyncio.sleep(0.1)
    await asyncio.sleep(0)
    if warned.heard:
        raise StoreUnavailable("the database did not wait for its standbys; try again")


async def _offset(db: Db) -> Duration:
    before = time.time_ns()
    there = await db.fetchval(TIME)
    here = (before + time.time_ns()) // 2_000_000
    return Duration(there - here)


async def revoke_everything(db: Db, loaded: Loaded, seen: Sighting | None) -> Loaded:
    """Begin a new epoch in which every session of every tenant is revoked, in one commit.

    Numbers and serials go on above whatever this node has seen. It returns when no lease of the
    old epoch can be left.
    """
    index, epoch = loaded.index, uuid4().hex
    serial = Serial(seen.serial if seen else 0)
    seq = max(loaded.seq, seen.seq if seen else 0) + 1
    at = Instant(max(int(await db.fetchval(TIME)), loaded.latest))
    batch = Batch()
    for tenant in list(index.shelves):
        tx = IndexTransaction(index, tenant, lambda *_, **__: ())
        await tx.raise_serial(serial)
        await _revoke(tx, tenant, at, epoch)
        batch.add(tx.changes)
    sql, arguments, _ = batch.statement()
    warned = Warned(db)
    await db.execute(TAKE)
    await db.execute(schema.PATIENT)
    found = await db.fetchrow("SELECT epoch, seq FROM feed_head")
    if tuple(found) != (loaded.epoch, loaded.seq):
        raise StoreUnavailable("a node writes to this database: stop all nodes, and try again")
    leases = await db.fetchval(LEASES)
    await db.execute("INSERT INTO epochs (epoch) VALUES ($1)", epoch)
    await db.execute("DELETE FROM followers")
    await db.execute("DELETE FROM feed")
    await db.execute("UPDATE feed_head SET epoch = $1, seq = $2 - 1", epoch, seq)
    head = (seq, epoch, batch.id, "restored", batch.changes(), batch.latest)
    await db.fetchrow(sql, *head, *arguments)
    await db.execute("COMMIT")
    await asyncio.sleep(0)
    if warned.heard:
        raise RolledBack("the database did not wait for its standbys; try again")
    await _run_out(min(leases, LONGEST_LEASE))
    return Loaded(index, epoch, seq, at, batch.id)


async def _run_out(leases: float) -> None:
    """Nodes that hold one answer from memory until then, whatever the database says by now."""
    if leases:
        await asyncio.sleep(leases + 0.05 + leases / 100)


async def _revoke(tx: IndexTransaction, tenant: TenantId, at: Instant, epoch: str) -> None:
    revocation = Revocation(
        id=ReceiptId(f"r_restored_{epoch[:12]}"),
        tenant=tenant,
        scope=OfTenant(),
        serial=await tx.next_serial(),
        at=at,
        why=EndReason.STORE_RESTORED,
        by=None,
        by_name="",
        reason="the database was rolled back",
        via=ORIGIN.dialect,
    )
    await tx.add_revocation(revocation)
    detail = {"receipt": revocation.id}
    await tx.record(event_by(operator(tenant, ORIGIN), at, Action.STORE_RESTORED, detail=detail))


async def schema_of(server: Server, *, up: bool) -> Schema:
    """Raises `StoreUnavailable`."""
    try:
        db = await connect(server, "migrates")
    except (*TROUBLE, *NO_ADDRESS) as error:
        raise _refused(error, f"{server.shown} cannot be reached") from error
    try:
        taken = await schema.migrate(db) if up else ()
        version, _ = await schema.version_of(db)
        why = ""
        try:
            await schema.check(db)
        except SchemaWrong as error:
            why = error.detail
        return Schema(version=version, newest=len(schema.steps()), taken=tuple(taken), why=why)
    except TROUBLE as error:
        raise _refused(error, f"{server.shown} cannot be migrated") from error
    finally:
        await close(db)
