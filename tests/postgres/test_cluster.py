"""The servers that tests start: that they come, go, come back, and take over."""

import signal

import asyncpg
import pytest

from tests.postgres.cluster import Cluster, cluster, database, promote, standby

pytestmark = pytest.mark.slow

ONE_MORE = "INSERT INTO kept SELECT count(*) FROM kept"


async def test_a_database_of_ones_own(postgres: Cluster, postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relkind = 'x'") == 0
    assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = USER")
    await connection.execute("CREATE TABLE mine (id int)")
    await connection.close()
    with database(postgres) as other:
        assert postgres.sql("SELECT to_regclass('mine')", other) == ""


def test_it_comes_back_with_what_was_committed() -> None:
    with cluster() as server, database(server) as name:
        server.sql("CREATE TABLE kept (id int)", name)
        endings = (lambda: server.stop(signal.SIGQUIT), server.kill, server.stop)
        for number, end in enumerate(endings, 1):
            server.sql(ONE_MORE, name)
            end()
            server.start()
            assert server.sql("SELECT count(*) FROM kept", name) == str(number)


async def test_a_paused_server_keeps_its_connections_and_answers_nothing() -> None:
    with cluster() as server, database(server) as name:
        connection = await asyncpg.connect(server.url(name))
        server.pause()
        with pytest.raises(TimeoutError):
            await connection.fetchval("SELECT 1", timeout=0.2)
        server.resume()
        await connection.close(timeout=60)


def test_a_standby_has_applied_what_was_committed_and_takes_over() -> None:
    with cluster() as server, database(server) as name, standby(server) as other:
        server.sql("CREATE TABLE kept (id int)", name)
        for number in range(1, 20):
            server.sql(ONE_MORE, name)
            assert other.sql("SELECT count(*) FROM kept", name) == str(number)
        server.kill()
        promote(other)
        other.sql(ONE_MORE, name)
        assert other.sql("SELECT count(*) FROM kept", name) == "20"
