"""Mass logouts: previewed, exact, asked for once, and approved by a second where it must be."""

from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.due_plans import run_plans
from lastcall.authority.login import LoggedIn
from lastcall.authority.logout import logout
from lastcall.authority.mass import Order, Ordered, mass_logout
from lastcall.authority.plans import approve, cancel, plans
from lastcall.authority.preview import preview
from lastcall.authority.step_up import step_up
from lastcall.domain.access import Caller, operator
from lastcall.domain.client import Client
from lastcall.domain.errors import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    SecondFactorRequired,
)
from lastcall.domain.logout import OneSession
from lastcall.domain.plan import PlanState, Preview
from lastcall.domain.policy import Policy
from lastcall.domain.selection import Selection
from lastcall.domain.session import Participant
from lastcall.domain.token import digest_password
from lastcall.domain.types import (
    MINUTE,
    ClientId,
    DialectName,
    Instant,
    PlanId,
    PreviewId,
    SubjectId,
)
from tests.authority.acts import PASSWORDS, alive, audit, begin, last_event, origin
from tests.world import TENANT, World, make_world

BOSS = operator(TENANT, origin())
ELVIS = Selection(dialects=frozenset({DialectName("elvis")}))


async def admin(world: World, name: str = "admin") -> Caller:
    """An administrator with a factor given just now."""
    begun = await begin(world, name, takes_code=True, code="backup01" if name == "tess" else None)
    if name == "admin":
        digest = digest_password(PASSWORDS[name])
        return (await step_up(world.env, begun.caller, digest)).caller
    return begun.caller


async def put_client(world: World, name: str, **more: Any) -> Client:
    now = world.clock.now()
    made = Client(id=ClientId(name), tenant=TENANT, name=name, created=now, changed=now, **more)
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_client(made)
    return made


async def join(world: World, begun: LoggedIn, client: str) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        joined = Participant(client=ClientId(client), sid=f"sid-{begun.session.id}", account="")
        await tx.join(begun.session.id, joined)


async def ordered(world: World, caller: Caller, made: Preview, **more: Any) -> Ordered:
    return await mass_logout(
        world.env, caller, Order(preview=made.id, **{"reason": "leak", **more})
    )


async def test_a_preview_counts_what_would_go_and_ends_nothing() -> None:
    world = await make_world()
    await put_client(world, "wiki", connector="webhook")
    await put_client(world, "fax")
    await put_client(world, "siem", connector="webhook", always=True)
    one, two = await begin(world, "john"), await begin(world, "owner")
    await join(world, one, "wiki")
    await join(world, two, "fax")
    boss = await admin(world)
    made = await preview(world.env, boss, Selection())
    assert dict(made.counts) == {
        "users": 3,
        "sessions": 3,
        "applications": 3,
        "cannot_be_told": 1,
    }
    assert (made.muted, made.self_included, made.last_admin) == (("fax",), True, False)
    assert await alive(world, one)
    assert await last_event(world) == ("preview", "done", "")
    some = await preview(world.env, boss, Selection(subjects=frozenset({one.subject.id})))
    assert (some.counts["sessions"], some.self_included) == (1, False)


async def test_a_preview_warns_of_the_last_administrator() -> None:
    world = await make_world()
    await begin(world, "admin")
    for name in ("tess", "emil"):
        async with world.env.store.transaction(TENANT) as tx:
            found = await tx.subject(SubjectId(f"u-{name}"))
            assert found is not None
            await tx.change_subject(replace(found, enabled=False))
    assert (await preview(world.env, BOSS, Selection())).last_admin
    assert not (await preview(world.env, BOSS, ELVIS)).last_admin


async def test_countries_need_a_file_to_look_them_up_in() -> None:
    world = await make_world()
    await begin(world, "john", address="10.0.0.1")
    await begin(world, "john", address="10.0.0.2")
    swiss = Selection(countries=frozenset({"CH"}))
    with pytest.raises(Invalid):
        await preview(world.env, BOSS, swiss)
    countries = {"10.0.0.1": "CH"}
    env = replace(world.env, country_of=lambda address: countries.get(address, ""))
    assert (await preview(env, BOSS, swiss)).counts["sessions"] == 1


async def test_a_planned_one_ends_also_when_the_file_of_countries_is_gone() -> None:
    """The set is known by then; and a plan that cannot start would start no other, ever."""
    world = await make_world()
    victim = await begin(world, "john", address="10.0.0.1")
    env = replace(world.env, country_of=lambda _address: "CH")
    made = await preview(env, BOSS, Selection(countries=frozenset({"CH"})))
    at = Instant(world.clock.now() + MINUTE)
    assert (await ordered(world, BOSS, made, start=at)).plan
    world.clock.advance(MINUTE)
    assert await run_plans(world.env) == 1
    assert not await alive(world, victim)


async def test_exactly_the_previewed_set_ends_and_the_drift_is_told() -> None:
    world = await make_world(policy=Policy(batch=2))
    inside = [await begin(world, "john", dialect="elvis") for _ in range(4)]
    made = await preview(world.env, BOSS, ELVIS)
    await logout(world.env, inside[0].caller, OneSession(session=inside[0].session.id))
    newcomer = await begin(world, "john", dialect="elvis")
    bystander = await begin(world, "john")
    done = await ordered(world, BOSS, made)
    assert done.receipt is not None
    assert (done.drift.ended_since, done.drift.new_since) == (1, 1)
    assert [await alive(world, one) for one in inside] == [False] * 4
    assert await alive(world, newcomer)
    assert await alive(world, bystander)
    assert (await audit(world))[-1].event.detail["reason"] == "leak"


async def test_it_needs_the_permission_a_reason_a_factor_and_ones_own_fresh_preview() -> None:
    world = await make_world()
    victim = await begin(world, "john", dialect="elvis")
    engineer, plain = await begin(world, "engineer"), await begin(world, "admin")
    with pytest.raises(Denied):
        await preview(world.env, engineer.caller, ELVIS)
    made = await preview(world.env, plain.caller, ELVIS)
    with pytest.raises(Denied):
        await ordered(world, engineer.caller, made)
    with pytest.raises(SecondFactorRequired):
        await ordered(world, plain.caller, made)
    boss = await admin(world)
    with pytest.raises(Invalid):
        await ordered(world, boss, made, reason="  ")
    tess = await admin(world, "tess")
    for caller, wanted in ((tess, made.id), (boss, PreviewId("nothing"))):
        with pytest.raises(NotFound):
            await mass_logout(world.env, caller, Order(preview=wanted, reason="x"))
    world.clock.advance(4 * MINUTE)
    late = await preview(world.env, BOSS, ELVIS)
    world.clock.advance(15 * MINUTE)
    with pytest.raises(NotFound):
        await ordered(world, BOSS, late)
    assert await alive(world, victim)


async def test_the_same_order_twice_is_one_and_another_under_its_key_is_refused() -> None:
    world = await make_world()
    await begin(world, "john", dialect="elvis")
    made = await preview(world.env, BOSS, ELVIS)
    first = await ordered(world, BOSS, made, key="k")
    assert first.receipt is not None
    again = await ordered(world, BOSS, made, key="k")
    assert again.receipt is not None
    assert again.receipt.revocation == first.receipt.revocation
    with pytest.raises(Conflict):
        await ordered(world, BOSS, made, key="k", reason="another")
    ends = [one.event for one in await audit(world) if one.event.target == f"preview:{made.id}"]
    assert [one.outcome for one in ends] == ["done", "refused"]


async def test_a_scheduled_one_waits_and_can_be_cancelled() -> None:
    world = await make_world()
    victim = await begin(world, "john", dialect="elvis")
    made = await preview(world.env, BOSS, ELVIS)
    at = Instant(world.clock.now() + MINUTE)
    kept = (await ordered(world, BOSS, made, start=at, key="a")).plan
    dropped = (await ordered(world, BOSS, made, start=at, key="b")).plan
    assert kept is not None
    assert dropped is not None
    assert (await ordered(world, BOSS, made, start=at, key="a")).plan == kept
    assert (await cancel(world.env, BOSS, dropped.id)).state is PlanState.CANCELLED
    assert await run_plans(world.env) == 0
    assert await alive(world, victim)
    world.clock.advance(MINUTE)
    assert await run_plans(world.env) == 1
    assert not await alive(world, victim)
    assert [one.state for one in await plans(world.env, BOSS)] in (
        [PlanState.DONE, PlanState.CANCELLED],
        [PlanState.CANCELLED, PlanState.DONE],
    )
    with pytest.raises(Conflict):
        await cancel(world.env, BOSS, kept.id)
    with pytest.raises(NotFound):
        await cancel(world.env, BOSS, PlanId("nothing"))


async def test_a_second_person_must_approve_where_the_tenant_says_so() -> None:
    world = await make_world(policy=Policy(second_person_for_mass=True))
    victim = await begin(world, "john", dialect="elvis")
    boss, tess = await admin(world), await admin(world, "tess")
    made = await preview(world.env, boss, ELVIS)
    plan = (await ordered(world, boss, made)).plan
    assert plan is not None
    assert plan.state is PlanState.WAITING
    assert await run_plans(world.env) == 0
    with pytest.raises(Conflict):
        await approve(world.env, boss, plan.id)
    plain = await begin(world, "admin")
    with pytest.raises(SecondFactorRequired):
        await approve(world.env, plain.caller, plan.id)
    approved = await approve(world.env, tess, plan.id)
    assert (approved.state, approved.approved_by_name) == (PlanState.SCHEDULED, "tess")
    with pytest.raises(Conflict):
        await approve(world.env, tess, plan.id)
    assert await alive(world, victim)
    assert await run_plans(world.env) == 1
    assert not await alive(world, victim)
