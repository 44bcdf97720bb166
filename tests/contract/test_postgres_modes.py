"""Strict and leased: whom a logout waits for, and whom it does not."""

import asyncio
import time

import pytest

from lastcall.domain.types import SessionId
from lastcall.ports.reading import MustWait
from tests.contract.changes import do, finds
from tests.contract.gates import until
from tests.contract.postgres import connected, nodes_on, shared_url, url, vanish, written
from tests.contract.rows import GONE, ONE, a_revocation, fill, token_of

__all__ = ["shared_url", "url"]

pytestmark = pytest.mark.slow


async def test_strict_waits_for_who_may_answer_and_no_longer(url: str) -> None:
    async with nodes_on(url, lease=3.0) as nodes:
        await fill(nodes[0], 3)
        for store in nodes:
            assert await finds(store, 1)
        vanish(nodes[2])
        ending = asyncio.create_task(do(nodes[0], lambda tx: tx.end_session(SessionId("s1"), GONE)))
        async with connected(url) as db:
            await written(db)
        await until(lambda: isinstance(nodes[1].peek(token_of(1)), MustWait) or ending.done())
        told = [store.peek(token_of(1)) for store in nodes]
        done = ending.done()
        if nodes[2].following.fresh:
            assert not done
            assert isinstance(told[0], MustWait)
            assert isinstance(told[1], MustWait), "others do not tell either"
        await ending
        assert isinstance(nodes[2].peek(token_of(1)), MustWait), "it may not answer any more"
        assert "c" not in nodes[0].following.peers, "nobody is waited for twice"
        await do(nodes[0], lambda tx: tx.end_session(SessionId("s2"), GONE))


async def test_leased_does_not_wait(url: str) -> None:
    async with nodes_on(url, 2, lease=60.0, strict=False) as [one, other]:
        await fill(one, 1)
        assert await finds(other, 1)
        vanish(other)
        began = time.monotonic()
        async with one.transaction(ONE) as tx:
            revocation = a_revocation(await tx.next_serial())
            await tx.add_revocation(revocation)
        assert time.monotonic() - began < 30
        async with one.transaction(ONE) as tx:
            receipt = await tx.receipt(revocation.id)
        assert receipt is not None
        spread = one.spread(receipt)
        assert spread.mode == "leased"
        told = {node.node: (node.applied_at is not None, node.pending) for node in spread.nodes}
        assert told == {"a": (True, False), "b": (False, True)}
