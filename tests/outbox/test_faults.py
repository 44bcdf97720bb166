"""A notice that cannot be handled stops no other, and is given up by its name."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import pytest

from lastcall.domain.audit import Action
from lastcall.domain.delivery import DeliveryState
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SubjectId, TenantId
from lastcall.outbox import Over
from lastcall.ports import Store, Transaction
from tests.outbox.test_worker import Scripted, at_work, client, one_round, owe, states
from tests.world import TENANT, make_world


@dataclass
class Faulty:
    """A store in which one method fails for whatever has this text in its id."""

    store: Store
    method: str
    cursed: str
    errors: Iterator[Exception]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @asynccontextmanager
    async def transaction(self, tenant: TenantId) -> AsyncIterator[Any]:
        async with self.store.transaction(tenant) as tx:
            yield FaultyTransaction(tx, self)


@dataclass
class FaultyTransaction:
    tx: Transaction
    of: Faulty

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.tx, name)
        if name != self.of.method:
            return method

        async def fails(about: Any) -> Any:
            if self.of.cursed in (about, getattr(about, "delivery", None)):
                raise next(self.of.errors)
            return await method(about)

        return fails


CASES = {"claimed": "subject", "written down": "add_attempt"}


@pytest.mark.slow
@pytest.mark.parametrize("method", CASES.values(), ids=CASES)
async def test_it_fails_alone_and_once(method: str) -> None:
    world = await make_world()
    rows = await owe(world, [client(world, name) for name in ("one", "two")], each=3)
    cursed = rows[2]
    if method == "subject":
        async with world.env.store.transaction(TENANT) as tx:
            await tx.put_delivery(replace(cursed, subject=SubjectId("u-cursed")))
    about = "u-cursed" if method == "subject" else cursed.id
    faulty: Any = Faulty(world.env.store, method, about, repeat(ValueError("secret words")))
    world.env = replace(world.env, store=faulty)
    connector, over = Scripted(), list[Over]()
    worker = at_work(world, connector)
    worker.on_over = over.append
    for _ in range(3):
        await one_round(worker)
    expected = [DeliveryState.ACKNOWLEDGED] * 6
    expected[2] = DeliveryState.UNREACHABLE
    assert await states(world, rows) == expected
    told = [notice.delivery for _, notice in connector.told]
    assert sorted(told) == sorted(row.id for row in rows if row != cursed or method != "subject")
    async with world.env.store.transaction(TENANT) as tx:
        given_up = await tx.delivery(cursed.id)
        records = [one.event for one in await tx.records(limit=1_000)]
    assert given_up is not None
    assert given_up.last_error == "fault ValueError"
    mine = [one for one in records if one.target == cursed.id]
    assert [(one.action, one.code) for one in mine] == [(Action.DELIVERY, "unreachable")]


@pytest.mark.slow
@pytest.mark.parametrize("errors", [["away"], ["fault", "away"]])
async def test_a_store_that_is_away_is_no_fault_of_the_notice(errors: list[str]) -> None:
    """Nothing that had come of a try is lost over it."""
    world = await make_world()
    rows = await owe(world, [client(world, "one")], each=3)
    kinds = {"away": StoreUnavailable("away"), "fault": ValueError("x")}
    raised = iter([kinds[error] for error in errors])
    faulty: Any = Faulty(world.env.store, "add_attempt", rows[1].id, raised)
    connector = Scripted()
    worker = at_work(world, connector)
    assert await worker.turn() == 3
    worker.env = replace(world.env, store=faulty)
    with pytest.raises(StoreUnavailable):
        await worker.rest()
    worker.env = world.env
    await worker.rest()
    assert len(connector.told) == 3
    assert await states(world, rows) == [DeliveryState.ACKNOWLEDGED] * 3
