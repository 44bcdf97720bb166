"""The network between nodes and their store: that it fails the way it is told to."""

import asyncio

import asyncpg
import pytest

from tests.nodes.proxy import Fault, Frames, Proxy, network
from tests.postgres.cluster import Cluster

pytestmark = pytest.mark.slow


async def linked(proxy: Proxy, cluster: Cluster, name: str) -> asyncpg.Connection:
    return await asyncpg.connect(cluster.url_at(proxy.port, name), timeout=30)


async def answers(connection: asyncpg.Connection, seconds: float = 30.0) -> bool:
    try:
        return bool(await connection.fetchval("SELECT true", timeout=seconds))
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


async def test_what_is_held_arrives_in_the_end(postgres: Cluster, postgres_database: str) -> None:
    postgres.sql("CREATE TABLE kept (id int)", postgres_database)
    postgres.sql("GRANT ALL ON kept TO PUBLIC", postgres_database)
    with network() as wires:
        proxy = wires.proxy(postgres.port)
        for fault, arrived in ((Fault.HOLD, "0"), (Fault.HOLD_ANSWERS, "1")):
            connection = await linked(proxy, postgres, postgres_database)
            proxy.set(fault)
            told = asyncio.create_task(connection.execute("INSERT INTO kept VALUES (1)"))
            await asyncio.sleep(0.2)
            async with asyncio.timeout(30):
                while postgres.sql("SELECT count(*) FROM kept", postgres_database) != arrived:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert not told.done()
            proxy.heal()
            await asyncio.wait_for(told, 30)
            postgres.sql("DELETE FROM kept", postgres_database)
            await connection.close()


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.CUT])
async def test_what_is_dropped_or_cut_stays_dead(
    postgres: Cluster, postgres_database: str, fault: Fault
) -> None:
    with network() as wires:
        proxy = wires.proxy(postgres.port)
        old = await linked(proxy, postgres, postgres_database)
        assert await answers(old)
        proxy.set(fault)
        assert not await answers(old, 0.3)
        with pytest.raises((TimeoutError, OSError)):
            await asyncio.wait_for(linked(proxy, postgres, postgres_database), 0.3)
        proxy.heal()
        assert not await answers(old, 0.3)
        new = await linked(proxy, postgres, postgres_database)
        assert await answers(new)
        await new.close()
        old.terminate()


async def test_who_is_deaf_hears_answers_but_no_notifications(postgres: Cluster) -> None:
    with network() as wires:
        proxy = wires.proxy(postgres.port)
        connection = await linked(proxy, postgres, "postgres")
        heard: list[object] = []
        await connection.add_listener("news", lambda *what: heard.append(what[-1]))
        for fault, payload in ((Fault.DEAF, "lost"), (Fault.NONE, "kept")):
            proxy.set(fault)
            postgres.sql(f"NOTIFY news, '{payload}'")
            assert await answers(connection)
        async with asyncio.timeout(30):
            while not heard:  # noqa: ASYNC110 - it is what is waited for
                await asyncio.sleep(0.01)
        assert heard == ["kept"]
        await connection.close()


def test_messages_are_told_apart_wherever_they_are_cut() -> None:
    said = b"T\0\0\0\6ab" + b"A\0\0\0\x05x" + b"Z\0\0\0\5I"
    for cut in range(1, len(said)):
        frames = Frames()
        out = frames.passed(said[:cut], deaf=True) + frames.passed(said[cut:], deaf=True)
        assert out == said.replace(b"A\0\0\0\x05x", b"")


async def test_a_switch_is_for_who_comes_next(postgres: Cluster) -> None:
    with network() as wires:
        proxy = wires.proxy(1)
        with pytest.raises(OSError, match=r".*"):
            await linked(proxy, postgres, "postgres")
        proxy.switch(postgres.port)
        proxy.delay = 0.05
        connection = await linked(proxy, postgres, "postgres")
        assert not await answers(connection, 0.08)
        proxy.reset()
        assert not await answers(connection)
