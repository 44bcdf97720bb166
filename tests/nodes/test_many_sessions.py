"""A node that starts on a database with many sessions: it serves once it has all of them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes.crowd import One, crowd
from tests.nodes.house import House, house, person
from tests.nodes.test_figures import figures
from tests.postgres.cluster import Cluster, database

pytestmark = pytest.mark.e2e

MANY = 20_000
SLOWLY = 0.05
"""Seconds that each piece of what the database says is kept back, so that the start takes some."""

COPIES = """
INSERT INTO sessions SELECT (copied).* FROM (
    SELECT jsonb_populate_record(one, jsonb_build_object(
        'serial', one.serial + n,
        'id', 's' || lpad(n::text, 24, '0'),
        'token_hash', sha256(convert_to('lct_' || lpad(n::text, 43, '0'), 'UTF8')),
        'user_agent', one.user_agent || n % 50
    )) AS copied FROM sessions AS one, generate_series(1, {many}) AS n WHERE id = '{id}'
) AS made;
UPDATE tenants SET serial = serial + {many};
"""


def token(number: int) -> str:
    return f"lct_{number:043d}"


@pytest.fixture
def alone(postgres: Cluster, tmp_path: Path) -> Iterator[House]:
    with database(postgres) as name, house(tmp_path, postgres, name, count=1) as made:
        yield made


async def test_it_is_ready_when_it_has_all_and_tells_how_far_it_is(alone: House) -> None:
    (node,) = alone.nodes
    async with crowd(alone) as people:
        first = await people.log_in(node, person(1))
        node.end()
        copies = COPIES.format(many=MANY, id=first.id)
        await asyncio.to_thread(alone.cluster.sql, copies, alone.database)
        node.proxy.delay = SLOWLY
        await asyncio.to_thread(node.begin)
        node.proxy.heal()
        for one in (first, *(One(token(number)) for number in (1, MANY // 2, MANY))):
            assert await people.told(one) == [True]
        assert await people.told(One(token(MANY + 1))) == [False]
        assert (await asyncio.to_thread(figures, node))["lastcall_start_sessions"] == MANY + 1
    told = node.server.events("loading")
    assert told, "it took seconds and nobody was told"
    done = [int(one["sessions"]) for one in told]
    assert done == sorted(done)
    assert {int(one["of"]) for one in told} == {MANY + 1}
