"""A node whose own witness fails, whose write is lost, or which reads everything anew again."""

import asyncio
import gc
import os
import weakref
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from lastcall.domain.audit import Record
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import MINUTE, Instant, SessionId
from lastcall.ports.reading import MustWait
from lastcall.stores.postgres import Name, RolledBack, SchemaWrong, Server, open_store
from lastcall.stores.postgres.reading import now
from lastcall.stores.postgres.schema import Step, migrate, steps
from tests.contract.changes import add, do
from tests.contract.gates import until
from tests.contract.postgres import TurnGate, a_node, connected, nodes_on, shared_url, url
from tests.contract.rows import (
    GONE,
    NOW,
    ONE,
    a_revocation,
    a_session,
    an_event,
    fill,
    hashed,
    serials_up_to,
    token_of,
)
from tests.contract.snapshot import snapshot

__all__ = ["shared_url", "url"]

pytestmark = pytest.mark.slow

PATIENT = 60.0
"""Seconds for what must not wait for ever."""

WAITING = """
SELECT 1 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND application_name LIKE '%follows' AND query LIKE '%set_config%'
"""


def no_room_for(file: Path) -> None:
    """From now on whoever has it open finds no space left on the device."""
    full = os.open("/dev/full", os.O_WRONLY)
    for name in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{name}") == str(file):
            os.dup2(full, int(name))
    os.close(full)


async def test_a_witness_that_cannot_be_written_stops_the_node_and_keeps_nobody_waiting(
    url: str, tmp_path: Path
) -> None:
    """What was written is durable; but nothing would tell of a database that is rolled back."""
    witness = tmp_path / "witness"
    async with nodes_on(url, 1, witness=witness) as [store]:
        await fill(store, 1)
        told: list[StoreUnavailable] = []
        store.on_failure = told.append
        no_room_for(witness)
        async with asyncio.timeout(PATIENT):
            await do(store, lambda tx: tx.end_session(SessionId("s1"), GONE))
        assert told
        with pytest.raises(StoreUnavailable):
            await store.find(token_of(1))


async def test_who_has_written_is_told_so_whatever_fails_after_it(url: str) -> None:
    def planted(_record: Record) -> None:
        raise RuntimeError("planted")

    async with nodes_on(url, 1) as [store]:
        await fill(store, 1)
        store.on_record = planted
        async with asyncio.timeout(PATIENT):
            await do(store, lambda tx: tx.record(an_event("durable")))
        assert store.failed is not None


@pytest.mark.parametrize("place", ["a folder", "in no folder"])
async def test_a_witness_that_cannot_be_opened_is_named(
    url: str, tmp_path: Path, place: str
) -> None:
    witness = tmp_path if place == "a folder" else tmp_path / "none" / "witness"
    with pytest.raises(StoreUnavailable, match=str(witness)):
        await a_node(url, witness=witness)


async def test_a_lease_begins_when_it_was_asked_for(url: str) -> None:
    """Not when the answer came: the others count from the one, and this node must not from the
    other."""
    lease = 8.0
    async with nodes_on(url, 1, lease=lease) as [store], connected(url) as db:
        await db.execute("BEGIN")
        await db.execute("SELECT 1 FROM followers FOR UPDATE")
        before = store.following.fresh_until
        async with connected(url) as watcher:
            while not await watcher.fetchval(WAITING):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        asked = now()
        await asyncio.sleep(0.3)
        await db.execute("ROLLBACK")
        await until(lambda: store.following.fresh_until != before)
        assert store.following.fresh_until < asked + lease


async def test_another_history_of_the_same_length_is_refused(url: str, tmp_path: Path) -> None:
    """As after a failover to a standby that lacked the last commit, and took another since."""
    witness = tmp_path / "witness"
    async with nodes_on(url, 1, witness=witness) as [store]:
        await fill(store, 1)
        await do(store, lambda tx: tx.record(an_event("seen")))
    async with connected(url) as db:
        await db.execute("UPDATE audit SET digest = sha256('another')")
    with pytest.raises(RolledBack, match="audit record 1 is not the one"):
        await a_node(url, witness=witness)


async def test_a_node_does_not_go_on_into_another_epoch(url: str) -> None:
    async with nodes_on(url, 1) as [store]:
        await fill(store, 1)
        told: list[StoreUnavailable] = []
        store.on_failure = told.append
        async with connected(url) as db:
            await db.execute("UPDATE feed_head SET epoch = 'another'")
        store.following.look()
        await until(lambda: bool(told))
        assert "another epoch" in str(told[0])


async def test_a_guest_holds_no_lease_and_leads_nobody(url: str) -> None:
    guest = Name(node="guest", lease=30.0, guest=True)
    store = await open_store(Server(url=url), guest)
    try:
        await fill(store, 1)
        assert not store.leads
        async with connected(url) as db:
            assert not await db.fetchval("SELECT 1 FROM followers WHERE lease_until > now()")
    finally:
        await store.close()


@pytest.mark.parametrize(("before", "written"), [(5_000, True), (3_000, False)])
async def test_a_use_that_others_might_hear_of_too_late_does_not_count(
    url: str, before: int, written: bool
) -> None:
    """Two leases before it lapses: one may have to run out, and another until it is asked again."""
    async with nodes_on(url, 1) as [store]:
        await fill(store, 1)
        found = await store.find(token_of(1))
        assert found is not None
        used = Instant(found.session.deadline - before)
        store.touch(found, used)
        await store.record_uses()
        seen = await store.find(token_of(1))
        assert seen is not None
        assert (seen.session.last_seen == used) is written


async def test_a_lease_is_waited_for_a_little_longer_than_it_lasts(url: str) -> None:
    """Clocks differ over a lease. Of 100 minutes, one is allowed for that."""
    async with nodes_on(url, 1, lease=6_000.0) as [store], connected(url) as db:
        for node, ago in (("just over", 2), ("long over", 300)):
            await db.execute(
                "INSERT INTO followers (node, instance, applied, lease_until, version) VALUES"
                " ($1, 'i', 0, clock_timestamp() - $2 * interval '1 second', 1)",
                node,
                ago,
            )
        store.following.tell()
        await until(lambda: bool(store.following.peers))
        assert list(store.following.peers) == ["just over"]
        await db.execute("DELETE FROM followers WHERE node = 'just over'")


async def test_a_use_is_not_lost_with_the_turn_that_should_have_written_it(url: str) -> None:
    gate = TurnGate()
    async with nodes_on(url, 1, step=gate) as [store]:
        await fill(store, 1)
        found = await store.find(token_of(1))
        assert found is not None
        used = Instant(NOW + MINUTE)
        store.touch(found, used)
        gate.shut()
        using = asyncio.create_task(store.record_uses())
        await gate.waiting.wait()
        async with connected(url) as db:
            await db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE '%writes'"
            )
        gate.open()
        with pytest.raises(StoreUnavailable):
            await using
        async with asyncio.timeout(PATIENT):
            while store.index.tokens[token_of(1)].last_seen != used:
                with suppress(StoreUnavailable):
                    await store.record_uses()
                await asyncio.sleep(0.01)


async def test_reading_anew_leaves_nothing_of_the_old_in_memory(url: str) -> None:
    async with nodes_on(url, 1) as [store]:
        await fill(store, 1)
        for number in range(2, 5):
            await add(store, replace(a_session(number), factors=()))
            assert await store.find(token_of(number)) is not None
        old = weakref.ref(store.index.tokens[a_session(2).token_hash].profile)
        async with connected(url) as db:
            await until(lambda: not store.turns.busy.locked())
            await store.reload(db)
        gc.collect()
        assert old() is None


WARN = """
CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE WARNING 'as of a standby that was not waited for'; RETURN NEW; END $$;
CREATE TRIGGER warn BEFORE UPDATE ON followers FOR EACH ROW EXECUTE FUNCTION warn();
"""


async def test_a_lease_whose_renewal_was_warned_of_is_none(url: str) -> None:
    """After a failover nobody would know of it, and so nobody wait for this node."""
    async with nodes_on(url, 1) as [store], connected(url) as db:
        await fill(store, 1)
        await db.execute(WARN)
        try:
            await until(lambda: not store.following.fresh)
            assert isinstance(store.peek(token_of(1)), MustWait)
        finally:
            await db.execute("DROP FUNCTION warn CASCADE")
        await until(lambda: store.following.fresh)


async def test_what_begins_changes_and_ends_in_one_turn_is_written_as_it_is_in_the_end(
    url: str,
) -> None:
    async with nodes_on(url, 2) as [one, other]:
        await fill(one, 1)
        async with one.transaction(ONE) as tx:
            await serials_up_to(tx, 9)
            await tx.add_session(a_session(2))
            await tx.renew(a_session(1, token_hash=hashed("new")))
            await tx.add_revocation(a_revocation(9))
            assert len(await tx.end_sessions(a_revocation(9), 100)) == 2
        await other.following.caught_up()
        assert snapshot(other.index) == snapshot(one.index)
        third = await a_node(url, "c")
        assert snapshot(third.index) == snapshot(one.index)
        await third.close()


async def test_who_gives_up_just_when_it_is_let_in_holds_nobody_up(url: str) -> None:
    async with nodes_on(url, 1) as [store]:
        await fill(store, 1)
        await store.turns.enter()
        impatient = asyncio.create_task(store.turns.enter())
        await asyncio.sleep(0)
        store.turns.leave()
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        async with asyncio.timeout(PATIENT):
            await do(store, lambda tx: tx.record(an_event("after")))


# --- a schema that goes on without a node ---


NEWER = Step(version=2, readable_by=2, sql="SELECT 1")
BACK = "DELETE FROM schema_versions WHERE version > 1"


async def test_who_slept_through_a_step_that_it_cannot_work_with_stops(url: str) -> None:
    """Its lease is over, so nobody waited for it; but it would have gone on where it was."""
    asleep = await a_node(url, lease=600.0)
    told: list[StoreUnavailable] = []
    asleep.on_failure = told.append
    async with connected(url) as db:
        try:
            await db.execute("UPDATE followers SET lease_until = '-infinity'")
            await migrate(db, [*steps(), NEWER])
            asleep.following.tell()
            await until(lambda: bool(told))
        finally:
            await db.execute(BACK)
    await asleep.close()


async def test_who_reads_while_a_step_is_taken_that_it_cannot_work_with_does_not_start(
    url: str,
) -> None:
    async with nodes_on(url, 1) as [store]:
        await fill(store, 1)

    async def taken() -> None:
        async with connected(url) as db:
            await migrate(db, [*steps(), NEWER])

    def meanwhile(_done: int, _total: int) -> None:
        operator = Thread(target=lambda: asyncio.run(taken()))
        operator.start()
        operator.join()

    try:
        with pytest.raises(SchemaWrong, match="schema 2"):
            await a_node(url, progress=meanwhile)
    finally:
        async with connected(url) as db:
            await db.execute(BACK)
