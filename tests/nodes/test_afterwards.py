"""A database was away for a while: what goes on beside the requests goes on when it is back."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes.crowd import crowd
from tests.nodes.house import House, house, person
from tests.postgres.cluster import cluster, database

pytestmark = pytest.mark.fault


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[House]:
    """One node on a server that no other test needs."""
    with (
        cluster() as server,
        database(server) as name,
        house(tmp_path, server, name, count=1, store='heads_every = "200ms"') as made,
    ):
        yield made


def last_head(file: Path) -> int:
    return int(json.loads(file.read_text().splitlines()[-1])["seq"])


async def test_rows_are_ended_and_heads_signed_again(alone: House) -> None:
    (node,) = alone.nodes
    async with crowd(alone) as people:
        mine = await people.log_in_all(540, person(10))
        admin = await people.log_in(node, "admin")
        await asyncio.to_thread(alone.cluster.stop, signal.SIGQUIT)
        await asyncio.sleep(4)
        await asyncio.to_thread(alone.cluster.start)
        async with asyncio.timeout(120):
            while await people.everywhere(admin) != [True]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        reply = await people.insist(node, "GET", "/v1/me", mine[0].token)
        scope = {"kind": "subject", "subject": reply.json()["subject"]}
        ended = await people.insist(node, "POST", "/v1/logout", admin.token, body={"scope": scope})
        shown = await people.receipt(node, ended.json()["id"], admin)
        assert (shown["complete"], shown["sessions_ended"]) == (True, len(mine))
    (file,) = node.config.parent.glob("*heads*")
    before = last_head(file)
    alone.operate("users", "import", "-", stdin='{"username": "late", "password": "Late_1_late"}\n')
    async with asyncio.timeout(120):
        while last_head(file) <= before:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
