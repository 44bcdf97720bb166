"""Nodes that follow badly, or begin amid a logout: nobody waits for ever for one who cannot use
what it holds, and nobody says more than every other may know."""

import asyncio
import time

import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SessionId
from lastcall.ports.reading import MustWait
from lastcall.stores.postgres import PostgresStore
from tests.contract.changes import add, do
from tests.contract.gates import until
from tests.contract.postgres import a_node, connected, nodes_on, shared_url, url, vanish, written
from tests.contract.rows import GONE, a_session, fill, token_of
from tests.postgres.cluster import Cluster

__all__ = ["shared_url", "url"]

pytestmark = pytest.mark.slow


async def end(store: PostgresStore, number: int) -> None:
    await do(store, lambda tx: tx.end_session(SessionId(f"s{number}"), GONE))


async def test_who_cannot_read_is_not_waited_for_although_it_can_write(
    url: str, postgres: Cluster
) -> None:
    """It takes no lease that it could not use."""
    name = url.rpartition("/")[2]
    async with nodes_on(url, 1, lease=0.6) as [one]:
        await fill(one, 3)
        postgres.sql(
            "CREATE ROLE blind LOGIN PASSWORD 'blind';"
            " GRANT ALL ON ALL TABLES IN SCHEMA public TO blind",
            name,
        )
        port = postgres.port
        blind = await a_node(f"postgresql://blind:blind@127.0.0.1:{port}/{name}", "b", 0.6)
        await end(one, 1)
        postgres.sql("REVOKE SELECT ON feed FROM blind", name)
        try:
            async with asyncio.timeout(60):
                await end(one, 2)
            assert isinstance(blind.peek(token_of(2)), MustWait)
            postgres.sql("GRANT SELECT ON feed TO blind", name)
            await until(lambda: blind.following.fresh and not blind.following.silent)
            found = await blind.find(token_of(2))
            assert found is not None
            assert found.session.ended == GONE
        finally:
            await blind.close()
            postgres.sql("DROP OWNED BY blind; DROP ROLE blind", name)


async def test_who_begins_amid_a_logout_says_nothing_before_all_may_know(url: str) -> None:
    async with nodes_on(url, 2) as [one, other]:
        await fill(one, 1)
        assert await other.find(token_of(1)) is not None
        vanish(other)
        ending = asyncio.create_task(end(one, 1))
        async with connected(url) as db:
            await written(db)
        late = await a_node(url, "c")
        found = await late.find(token_of(1))
        assert found is not None
        assert found.session.ended == GONE
        assert isinstance(other.peek(token_of(1)), MustWait), "it might still have said yes"
        await ending
        await late.close()


async def test_who_reads_anew_amid_a_logout_says_nothing_before_all_may_know(url: str) -> None:
    async with nodes_on(url, 2) as [one, other]:
        await fill(one, 2)
        away = await a_node(url, "c", 0.2)
        vanish(away)
        await until(lambda: not away.following.fresh)
        for number in range(3, 6):
            await add(one, a_session(number))
        assert await other.find(token_of(1)) is not None
        vanish(other)
        ending = asyncio.create_task(end(one, 1))
        async with connected(url) as db:
            await written(db)
            await db.execute("DELETE FROM feed WHERE seq < (SELECT seq FROM feed_head)")
        away.begin_tasks()
        found = await away.find(token_of(1))
        assert found is not None
        assert found.session.ended == GONE
        assert isinstance(other.peek(token_of(1)), MustWait), "it might still have said yes"
        await ending
        await away.close()


async def test_who_reads_anew_does_not_answer_what_was_waiting(url: str) -> None:
    """The change of its own is durable; but others may not have applied it."""
    async with nodes_on(url, 2) as [one, other]:
        await fill(one, 1)
        assert await other.find(token_of(1)) is not None
        vanish(other)
        ending = asyncio.create_task(end(one, 1))
        async with connected(url) as db:
            await written(db)
            await until(lambda: one.writing is None)
            await one.reload(db)
        await asyncio.sleep(0.05)
        done = ending.done()
        assert not (done and other.following.fresh)
        await ending
        assert isinstance(other.peek(token_of(1)), MustWait)


async def test_another_in_ones_place_is_not_taken_for_oneself(url: str) -> None:
    async with nodes_on(url, 1, lease=8.0) as [one]:
        await fill(one, 1)
        told: list[StoreUnavailable] = []
        one.on_failure = told.append
        async with connected(url) as db:
            await db.execute(
                "UPDATE followers SET instance = 'another', applied = 0,"
                " lease_until = clock_timestamp() + interval '9 seconds'"
            )
        with pytest.raises(StoreUnavailable):
            await end(one, 1)
        await until(lambda: bool(told))
        assert "taken" in str(told[0])


async def test_a_full_queue_of_notifications_stops_nobody(url: str, postgres: Cluster) -> None:
    name = url.rpartition("/")[2]
    async with nodes_on(url, 1):
        pass
    postgres.sql(
        "CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000'; END $$;"
        f" ALTER DATABASE {name} SET search_path = public, pg_catalog",
        name,
    )
    try:
        async with nodes_on(url, 2) as [one, other]:
            await fill(one, 3)
            for number in (1, 2):
                async with asyncio.timeout(60):
                    await end(one, number)
                found = await other.find(token_of(number))
                assert found is not None
                assert found.session.ended == GONE
    finally:
        postgres.sql(
            f"DROP FUNCTION public.pg_notify; ALTER DATABASE {name} RESET search_path", name
        )


async def test_what_has_piled_up_in_the_feed_is_removed_without_a_pause(url: str) -> None:
    async with nodes_on(url, 1, lease=0.4) as [one]:
        await fill(one, 1)
        await until(lambda: one.leads)
        async with connected(url) as db:
            await db.execute(
                "INSERT INTO feed SELECT n, 'old', 'a', 0, '' FROM generate_series(-21000, -1) AS n"
            )
            one.following.prune_at = 0.0
            began = time.monotonic()
            while await db.fetchval("SELECT count(*) FROM feed WHERE seq < 0"):
                assert time.monotonic() - began < 60
                await asyncio.sleep(0.05)


async def test_a_node_is_told_again_and_again_what_time_it_is(url: str) -> None:
    async with nodes_on(url, 1, lease=0.4) as [one]:
        told: list[float] = []
        one.following.on_time = lambda at: told.append(time.time_ns() - at)
        await until(lambda: len(told) >= 5)
        assert min(abs(off) for off in told) < 60_000_000, "of one machine's own clock"
