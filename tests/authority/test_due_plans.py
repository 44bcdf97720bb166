"""A plan whose time has come is carried out only for those who still might ask for it."""

from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.due_plans import run_plans
from lastcall.authority.mass import Order, mass_logout
from lastcall.authority.plans import approve, cancel, plans
from lastcall.authority.preview import preview
from lastcall.domain.plan import Plan, PlanState
from lastcall.domain.policy import Policy
from lastcall.domain.selection import Selection
from lastcall.domain.types import MINUTE, DialectName, Instant, SubjectId
from lastcall.ports import Store
from lastcall.stores.memory import MemoryStore
from tests.authority.acts import alive, audit, begin
from tests.authority.test_mass import BOSS, admin
from tests.world import TENANT, World, make_world

ELVIS = Selection(dialects=frozenset({DialectName("elvis")}))


async def planned(world: World, *, approved: bool = False) -> Plan:
    """Asked for by the account `admin`, and approved by `tess`."""
    boss = await admin(world)
    made = await preview(world.env, boss, ELVIS)
    start = Instant(world.clock.now() + MINUTE)
    order = Order(preview=made.id, reason="leak", start=start)
    plan = (await mass_logout(world.env, boss, order)).plan
    assert plan is not None
    if approved:
        await approve(world.env, await admin(world, "tess"), plan.id)
    world.clock.advance(MINUTE)
    return plan


async def change(world: World, name: str, **changes: Any) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        found = await tx.subject(SubjectId(f"u-{name}"))
        assert found is not None
        await tx.remove_subject(found.id)
        if changes:
            await tx.add_subject(replace(found, **changes))


CHANGES: dict[str, dict[str, Any]] = {
    "the account is gone": {},
    "the account is disabled": {"enabled": False},
    "may not log everybody out any more": {"role": "monitor"},
}


@pytest.mark.parametrize("who", ["admin", "tess"])
@pytest.mark.parametrize("why", CHANGES)
async def test_whose_word_counts_no_more_ends_nothing(who: str, why: str) -> None:
    world = await make_world(policy=Policy(second_person_for_mass=True))
    victim = await begin(world, "john", dialect="elvis")
    plan = await planned(world, approved=True)
    await change(world, who, **CHANGES[why])
    assert await run_plans(world.env) == 0
    assert await alive(world, victim)
    (kept,) = await plans(world.env, BOSS)
    assert (kept.state, kept.receipt) == (PlanState.REFUSED, None)
    role = {"admin": "who asked", "tess": "who approved"}[who]
    event = (await audit(world))[-1].event
    assert (event.action, event.outcome, event.target) == ("logout", "refused", plan.id)
    assert (event.code, event.detail["detail"]) == ("denied", f"{role}: {why}")
    assert (event.actor, event.actor_name) == (SubjectId("u-admin"), "admin")
    records = len(await audit(world))
    if CHANGES[why]:
        await change(world, who, enabled=True, role="admin")
    assert await run_plans(world.env) == 0
    assert len(await audit(world)) == records, "refused once, and for good"


async def test_whose_word_still_counts_is_heard() -> None:
    world = await make_world(policy=Policy(second_person_for_mass=True))
    victim = await begin(world, "john", dialect="elvis")
    await planned(world, approved=True)
    assert await run_plans(world.env) == 1
    assert not await alive(world, victim)


async def test_another_account_of_the_same_name_did_not_ask() -> None:
    world = await make_world()
    victim = await begin(world, "john", dialect="elvis")
    await planned(world)
    await change(world, "admin", created=world.clock.now())
    assert await run_plans(world.env) == 0
    assert await alive(world, victim)


class Interrupted(MemoryStore):
    """Lets something happen once a plan has been found due."""

    happening: Any = None

    async def end(self, tx: Any, error: BaseException | None) -> None:
        await super().end(tx, error)
        if self.happening is not None:
            happening, self.happening = self.happening, None
            await happening()


async def test_one_that_is_called_off_while_it_starts_ends_nothing() -> None:
    store = Interrupted()
    kept: Store = store
    world = await make_world(kept)
    victim = await begin(world, "john", dialect="elvis")
    plan = await planned(world)

    async def call_off() -> None:
        await cancel(world.env, BOSS, plan.id)

    store.happening = call_off
    assert await run_plans(world.env) == 0
    assert await alive(world, victim)
    assert [one.state for one in await plans(world.env, BOSS)] == [PlanState.CANCELLED]
