"""The PostgreSQL store keeps the contract, alone and beside other nodes on one database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from lastcall.domain.errors import Invalid, StoreUnavailable
from lastcall.domain.logout import OfTenant
from lastcall.domain.types import ReceiptId, SessionId
from lastcall.index import IndexStore
from lastcall.stores.postgres import NameTaken, NotShared, RolledBack, SchemaWrong
from tests.contract.changes import add, do, fill_with_everything, finds
from tests.contract.gates import until
from tests.contract.postgres import (
    TurnGate,
    a_node,
    nodes_on,
    shared_url,
    url,
    vanish,
)
from tests.contract.rows import (
    ANN,
    BOB,
    GONE,
    NOW,
    ONE,
    TWO,
    a_code,
    a_revocation,
    a_session,
    a_subject,
    an_event,
    fill,
    serials_up_to,
    token_of,
)
from tests.contract.snapshot import snapshot
from tests.contract.store import StoreContract

__all__ = ["shared_url", "url"]

pytestmark = pytest.mark.slow


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def gate(self) -> TurnGate:
        return TurnGate()

    @pytest.fixture
    async def store(self, gate: TurnGate, url: str) -> AsyncIterator[IndexStore]:
        # with a lease so long nobody is thrown out for having the turn while the gate is shut
        store = await a_node(url, lease=30.0, answering=30.0, step=gate)
        yield store
        await store.close()


# --- one node ---


async def test_a_restart_changes_nothing(url: str) -> None:
    async with nodes_on(url, 1) as [store]:
        await fill_with_everything(store)
        await fill(store, tenant=TWO)
        async with store.transaction(TWO) as tx:
            await tx.remove_subject(BOB)
            await tx.record(an_event("second", TWO))
        before = snapshot(store.index)
    async with nodes_on(url, 1) as [store]:
        assert snapshot(store.index) == before
        async with store.transaction(TWO) as tx:
            await tx.record(an_event("third", TWO))
            rows = await tx.records()
        assert [row.event.target for row in rows] == ["second", "third"]
        assert rows[0].digest == rows[1].previous
        assert store.floor >= NOW


async def test_text_that_cannot_be_stored_is_refused_and_undone(url: str) -> None:
    async with nodes_on(url, 1) as [store]:
        await fill(store, 1)
        before = snapshot(store.index)
        odds: tuple[dict[str, Any], ...] = (
            {"first_name": "\ud800"},
            {"groups": ("g", "\ud800")},
            {"profile": {"\udc00": 1}},
            {"name": "a\0b"},
            {"totp_step": 2**63},
        )
        for odd in odds:
            subject = replace(a_subject("cat"), **odd)
            with pytest.raises(Invalid):
                await do(store, lambda tx, one=subject: tx.add_subject(one))  # type: ignore[misc]
            assert snapshot(store.index) == before
        await add(store, a_session(2))


async def test_two_nodes_do_not_share_a_name(url: str) -> None:
    async with nodes_on(url, 1, lease=8.0):
        with pytest.raises(NameTaken, match="another node is called a"):
            await a_node(url, lease=0.3)
    async with nodes_on(url, 1):
        pass


async def test_nodes_share_their_key(url: str) -> None:
    async with nodes_on(url, 1, shared="one key"):
        with pytest.raises(NotShared, match="key file"):
            await a_node(url, "b", shared="another")


async def test_a_newer_schema_is_refused_unless_it_says_it_can_be_read(url: str) -> None:
    async with nodes_on(url, 1):
        pass
    db = await asyncpg.connect(url)
    try:
        await db.execute("INSERT INTO schema_versions VALUES (98, 1)")
        async with nodes_on(url, 1):
            pass
        await db.execute("INSERT INTO schema_versions VALUES (99, 99)")
        with pytest.raises(SchemaWrong, match="schema 99"):
            await a_node(url)
    finally:
        await db.execute("DELETE FROM schema_versions WHERE version > 90")
        await db.close()


async def test_an_older_database_is_refused_until_an_operator_says_so(
    url: str, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    async with nodes_on(url, 1, witness=witness) as [store]:
        await fill(store, 2)
        async with store.transaction(ONE) as tx:
            await serials_up_to(tx, 40)
            await tx.record(an_event("seen"))
    db = await asyncpg.connect(url)
    await db.execute("UPDATE feed_head SET seq = seq - 1; DELETE FROM audit;")
    await db.execute("UPDATE tenants SET serial = 7")
    await db.close()
    with pytest.raises(RolledBack, match="older than this node has seen it"):
        await a_node(url, witness=witness)
    async with nodes_on(url, 1, witness=witness, accept_rollback=True) as [store]:
        found = await store.find(token_of(1))
        assert found is not None
        assert found.revoked_before > 40
    async with nodes_on(url, 1, witness=witness) as [store]:
        found = await store.find(token_of(2))
        assert found is not None
        assert found.revoked_before > 40


# --- several nodes ---


async def test_bodies_of_all_nodes_are_serial(url: str) -> None:
    async with nodes_on(url) as nodes:
        await fill(nodes[0], 0)

        async def login(place: int, number: int) -> bool:
            async with nodes[place].transaction(ONE) as tx:
                if len(await tx.unended_of(ANN)) >= 20:
                    return False
                serial = await tx.next_serial()
                await tx.add_session(a_session(100 * place + number, serial=serial))
                await tx.record(an_event(f"{place} {number}"))
                return True

        logins = [login(place, number) for number in range(20) for place in range(3)]
        assert sum(await asyncio.gather(*logins)) == 20
        for store in nodes:
            await store.following.caught_up()
        assert snapshot(nodes[0].index) == snapshot(nodes[1].index) == snapshot(nodes[2].index)
        assert nodes[0].position == nodes[1].position == nodes[2].position


async def test_everything_written_on_one_node_is_in_the_other(url: str) -> None:
    async with nodes_on(url, 2) as [one, other]:
        await fill_with_everything(one)
        await other.following.caught_up()
        assert snapshot(other.index) == snapshot(one.index)
        async with other.transaction(ONE) as tx:
            revocation = a_revocation(await tx.next_serial(), OfTenant(keep=SessionId("s2")))
            await tx.add_revocation(revocation)
            ended = await tx.end_sessions(revocation, 10)
            await tx.progress(revocation.id, len(ended), complete=True)
            await tx.remove_subject(ANN)
            await tx.clear_strikes("k")
        await one.following.caught_up()
        assert snapshot(other.index) == snapshot(one.index)


async def test_a_login_counts_everywhere_and_so_does_its_end(url: str) -> None:
    async with nodes_on(url) as nodes:
        await fill(nodes[0], 1)
        for number in range(2, 12):
            await add(nodes[number % 3], a_session(number))
            assert all([await finds(store, number) for store in nodes])
            end = SessionId(f"s{number}")
            await do(nodes[(number + 1) % 3], lambda tx, one=end: tx.end_session(one, GONE))  # type: ignore[misc]
            for store in nodes:
                found = await store.find(token_of(number))
                assert found is not None
                assert found.session.ended == GONE


async def test_a_code_is_used_once(url: str) -> None:
    async with nodes_on(url) as nodes:
        await fill(nodes[0], 0)
        await do(nodes[0], lambda tx: tx.put_code(a_code()))

        async def use(place: int) -> bool:
            async with nodes[place % 3].transaction(ONE) as tx:
                found = await tx.code(ANN, "login")
                await tx.drop_code(ANN, "login")
                return found is not None

        assert sum(await asyncio.gather(*(use(place) for place in range(30)))) == 1


async def test_a_receipt_tells_when_each_node_had_applied_it(url: str) -> None:
    async with nodes_on(url) as nodes:
        await fill(nodes[0], 1)
        async with nodes[1].transaction(ONE) as tx:
            await tx.add_revocation(a_revocation(await tx.next_serial(), id=ReceiptId("r")))
        async with nodes[1].transaction(ONE) as tx:
            receipt = await tx.receipt(ReceiptId("r"))
        assert receipt is not None
        spread = nodes[1].spread(receipt)
        assert spread.mode == "strict"
        assert [node.node for node in spread.nodes] == ["a", "b", "c"]
        assert all(node.applied_at for node in spread.nodes)


async def test_one_leads_and_another_takes_over(url: str) -> None:
    async with nodes_on(url, lease=3.0) as nodes:
        await until(lambda: [store.leads for store in nodes] == [True, False, False])
        vanish(nodes[0])
        await until(lambda: nodes[1].leads)
        assert not nodes[2].leads


async def test_who_pauses_with_the_turn_is_thrown_out(url: str) -> None:
    gate = TurnGate()
    async with nodes_on(url, 1) as [other]:
        await fill(other, 1)
        paused = await a_node(url, "p", step=gate)
        gate.shut()
        late = asyncio.create_task(do(paused, lambda tx: tx.end_session(SessionId("s1"), GONE)))
        await gate.waiting.wait()
        await add(other, a_session(2))
        gate.open()
        with pytest.raises(StoreUnavailable):
            await late
        for store in (paused, other):
            found = await store.find(token_of(1))
            assert found is not None
            assert found.session.ended is None
        assert await finds(paused, 2)
        await paused.close()


@pytest.mark.parametrize("reached", [True, False])
async def test_an_unclear_commit_is_looked_up(url: str, reached: bool) -> None:
    """Its connection breaks before the answer; whether it was committed decides."""
    async with nodes_on(url, 2) as [one, other]:
        await fill(one, 2)
        db = one.turns.db
        assert db is not None
        execute = db.execute

        async def breaking(sql: str, *values: object, **options: float) -> str:
            if sql == "COMMIT":
                if reached:
                    await execute(sql)
                db.terminate()
                raise ConnectionResetError
            return await execute(sql, *values, **options)

        one.turns.db = Breaking(db, breaking)  # type: ignore[assignment]
        ending = do(one, lambda tx: tx.end_session(SessionId("s1"), GONE))
        if reached:
            await ending
        else:
            with pytest.raises(StoreUnavailable):
                await ending
        for store in (one, other):
            found = await store.find(token_of(1))
            assert found is not None
            assert (found.session.ended is not None) is reached
        await do(one, lambda tx: tx.end_session(SessionId("s2"), GONE))
        await other.following.caught_up()
        assert snapshot(one.index) == snapshot(other.index)


async def test_who_waits_for_an_unclear_commit_is_told_when_it_cannot_be_looked_up(
    url: str,
) -> None:
    """The database is declared restored just then."""
    async with nodes_on(url, 1) as [one]:
        await fill(one, 1)
        told: list[StoreUnavailable] = []
        one.on_failure = told.append
        db = one.turns.db
        assert db is not None
        execute = db.execute

        async def breaking(sql: str, *values: object, **options: float) -> str:
            if sql == "COMMIT":
                await execute("UPDATE feed_head SET epoch = 'another'")
                await execute(sql)
                db.terminate()
                raise ConnectionResetError
            return await execute(sql, *values, **options)

        one.turns.db = Breaking(db, breaking)  # type: ignore[assignment]
        async with asyncio.timeout(60):
            with pytest.raises(StoreUnavailable):
                await do(one, lambda tx: tx.end_session(SessionId("s1"), GONE))
        await until(lambda: bool(told))


class Breaking:
    """A connection of which one method is another."""

    def __init__(self, db: object, execute: Callable[..., object]) -> None:
        self._db = db
        self.execute = execute

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


async def test_who_was_away_for_too_long_reads_everything_anew(url: str) -> None:
    async with nodes_on(url, 1) as [one]:
        await fill(one, 1)
        other = await a_node(url, "b")
        vanish(other)
        await asyncio.sleep(0.05)
        for number in range(2, 6):
            await add(one, a_session(number))
        db = await asyncpg.connect(url)
        await db.execute("DELETE FROM feed WHERE seq < (SELECT seq FROM feed_head)")
        await db.close()
        other.begin_tasks()
        await other.following.caught_up()
        assert snapshot(other.index) == snapshot(one.index)
        await other.close()


async def test_a_database_that_goes_back_under_a_node_stops_it(url: str) -> None:
    async with nodes_on(url, 1) as [store]:
        await fill(store, 2)
        told: list[StoreUnavailable] = []
        store.on_failure = told.append
        db = await asyncpg.connect(url)
        await db.execute("UPDATE feed_head SET seq = seq - 1")
        await db.close()
        with suppress(StoreUnavailable):
            await store.following.caught_up()
        await until(lambda: bool(told))
        with pytest.raises(StoreUnavailable, match="older"):
            await store.find(token_of(1))
