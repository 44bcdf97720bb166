"""Opening a database: what it must be like, what a witness remembers, who steps in for a moment,
and declaring it restored while nodes are about."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SessionId
from lastcall.main import configured
from lastcall.main.record import name_of
from lastcall.ports.reading import MustWait
from lastcall.stores.postgres import SchemaWrong, Server, open_store, schema, schema_of, shown
from lastcall.stores.postgres.connecting import connect
from lastcall.stores.postgres.reading import Come, read
from lastcall.stores.postgres.schema import Step, migrate, version_of
from lastcall.stores.postgres.witness import Witness
from tests.contract.changes import do
from tests.contract.gates import until
from tests.contract.postgres import TurnGate, a_node, connected, nodes_on, shared_url, url, vanish
from tests.contract.rows import GONE, ONE, an_event, fill, token_of
from tests.postgres.cluster import OWNER, Cluster

__all__ = ["shared_url", "url"]

pytestmark = pytest.mark.slow


# --- what the witness remembers ---


async def test_a_witness_does_not_vouch_for_what_is_being_written(url: str, tmp_path: Path) -> None:
    """A crash just then must not look like a database that was rolled back."""
    gate, witness = TurnGate(), tmp_path / "witness"
    async with nodes_on(url, 1, lease=8.0) as [other]:
        await fill(other, 1)
        one = await a_node(url, "w", 8.0, step=gate, witness=witness)
        other.tasks[0].cancel()
        unheard = asyncio.create_task(do(other, lambda tx: tx.end_session(SessionId("s1"), GONE)))
        await until(lambda: other.vouched > one.position)
        gate.shut()
        writing = asyncio.create_task(do(one, lambda tx: tx.record(an_event("half"))))
        await gate.waiting.wait()
        await one.following.caught_up()
        assert one.vouched == other.vouched
        seen = Witness(witness).read()
        assert seen is not None
        async with connected(url) as db:
            assert seen.chain == await db.fetchval("SELECT coalesce(max(seq), 0) FROM audit")
        gate.open()
        await writing
        unheard.cancel()
        await one.close()


# --- what a database must be like ---


@pytest.fixture
def latin(postgres: Cluster) -> Iterator[str]:
    postgres.sql(
        f"CREATE DATABASE latin OWNER {OWNER} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    yield postgres.url("latin")
    postgres.sql("DROP DATABASE latin WITH (FORCE)")


async def test_a_database_that_cannot_hold_every_text_is_refused(latin: str) -> None:
    with pytest.raises(SchemaWrong, match="LATIN1"):
        await a_node(latin)


async def test_a_level_of_isolation_that_somebody_has_set_changes_nothing(
    url: str, postgres: Cluster
) -> None:
    name = url.rpartition("/")[2]
    postgres.sql(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    try:
        async with nodes_on(url, 2) as nodes:
            await fill(nodes[0], 0)

            async def write(place: int) -> None:
                await do(nodes[place % 2], lambda tx: tx.record(an_event(str(place))))

            await asyncio.gather(*(write(place) for place in range(40)))
    finally:
        postgres.sql(f"ALTER DATABASE {name} RESET default_transaction_isolation")


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://u:secret@127.0.0.1:port/d",
        "postgresql://u:sec/ret@127.0.0.1/d",
        "postgresql://u:sec?ret@127.0.0.1/d",
        "postgresql://u:sec#ret@127.0.0.1/d",
        "postgresql://u:secret@127.0.0.1:99999/d",
        "postgresql://u:secret@[::1/d",
        "postgresql://u:secret@127.0.0.1:1/d?sslmode=perhaps&password=secret",
        "postgresql://127.0.0.1:1/d?user=u&password=secret@1",
    ],
)
async def test_an_address_that_leads_nowhere_is_named_without_its_password(wrong: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        await schema_of(Server(url=wrong), up=False)
    for text in (str(refused.value), refused.value.detail, shown(wrong)):
        assert "sec" not in text
        assert "ret" not in text
        assert "127.0.0.1" in text or "1/d" in text or text.endswith("@1")


# --- steps ---


async def test_a_step_may_take_longer_than_an_answer(postgres_url: str) -> None:
    db = await connect(Server(url=postgres_url, answering=2.0), "test")
    slow = Step(version=1, readable_by=1, sql="SELECT pg_sleep(2.5)")
    assert await migrate(db, [slow]) == [1]
    await db.close()


async def test_a_step_that_fails_leaves_nothing_of_itself_or_those_before(
    postgres_url: str,
) -> None:
    db = await connect(Server(url=postgres_url), "test")
    good = Step(version=1, readable_by=1, sql="CREATE TABLE one (n integer)")
    bad = Step(version=2, readable_by=1, sql="CREATE TABLE two (n integer); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(db, [good, bad])
    assert await version_of(db) == (0, 0)
    assert await db.fetchval("SELECT to_regclass('one')") is None
    assert await migrate(db, [good]) == [1]
    await db.close()


async def test_nodes_that_start_at_once_make_the_tables_once(postgres_url: str) -> None:
    opened = await asyncio.gather(*(a_node(postgres_url, name) for name in "abc"))
    async with connected(postgres_url) as db:
        assert await db.fetchval("SELECT count(*) FROM schema_versions") == len(schema.steps())
    for store in opened:
        await store.close()


# --- reading much at once ---


async def test_a_reading_is_bounded_in_bytes(url: str) -> None:
    async with nodes_on(url, 1) as [one]:
        await fill(one, 1)
        before = one.come
        large = msgspec.msgpack.encode([("touch", ONE, 1, "x" * 1_000_000, 0)])
        async with connected(url) as db:
            for _ in range(12):
                await db.execute(
                    "WITH h AS (UPDATE feed_head SET seq = seq + 1 RETURNING seq)"
                    " INSERT INTO feed SELECT seq, 'large', 'x', 0, $1 FROM h",
                    large,
                )
            head = await read(db, Come(before.seq, before.tip, before.vouched), 5.0)
            assert 1 <= len(head.rows) <= 6
            last = await db.fetchval("SELECT seq FROM feed_head")
        await one.following.caught_up()
        assert one.position == last


# --- guests, and declaring it restored ---


async def test_two_commands_at_once_do_not_throw_each_other_out(url: str, tmp_path: Path) -> None:
    config = tmp_path / "lastcall.toml"
    config.write_text(f'[store]\nurl = "{url}"\nlease = "500ms"\n')
    config.chmod(0o600)
    server = Server(url=url)
    first = await open_store(server, name_of(configured(config), guest=True))
    second = await open_store(server, name_of(configured(config), guest=True))
    await asyncio.sleep(0.5)
    await fill(first, 1)
    await do(second, lambda tx: tx.end_session(SessionId("s1"), GONE))
    await first.following.caught_up()
    await first.close()
    await second.close()
    async with connected(url) as db:
        assert await db.fetchval("SELECT count(*) FROM followers") == 0


async def test_declaring_it_restored_waits_for_the_leases_there_are(url: str) -> None:
    async with nodes_on(url, 1, lease=1.5) as [other]:
        await fill(other, 1)
        assert await other.find(token_of(1)) is not None
        vanish(other)
        began = time.monotonic()
        declared = await a_node(url, "guest", accept_rollback=True)
        assert isinstance(other.peek(token_of(1)), MustWait)
        assert time.monotonic() - began < 60
        await declared.close()


WAITS = """SELECT 1 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND application_name = 'lastcall guest starts'"""


async def test_declaring_it_restored_is_refused_while_somebody_writes(url: str) -> None:
    """What a node writes between the reading and the new epoch would be lost, or escape it."""
    async with nodes_on(url, 1) as [one]:
        await fill(one, 1)
        async with connected(url) as db, connected(url) as watcher:  # one sees its first look again
            await db.execute("BEGIN; UPDATE feed_head SET seq = seq + 1")
            declaring = asyncio.create_task(
                a_node(url, "guest", answering=60.0, accept_rollback=True)
            )
            while not await watcher.fetchval(WAITS):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await db.execute("COMMIT")
        with pytest.raises(StoreUnavailable, match="stop all nodes"):
            await declaring


async def test_a_step_that_a_running_node_cannot_work_with_is_not_taken(url: str) -> None:
    async with nodes_on(url, 1, lease=30.0) as [one]:
        await fill(one, 1)
        newer = [*schema.steps(), Step(version=2, readable_by=2, sql="SELECT 1")]
        async with connected(url) as db:
            with pytest.raises(SchemaWrong, match="stop all nodes first"):
                await migrate(db, newer)
            additive = [*schema.steps(), Step(version=2, readable_by=1, sql="SELECT 1")]
            assert await migrate(db, additive) == [2]
            await db.execute("DELETE FROM schema_versions WHERE version = 2")
            await one.close()
            assert await migrate(db, newer) == [2]
            await db.execute("DELETE FROM schema_versions WHERE version = 2")
