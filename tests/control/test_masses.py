"""Mass logouts as an operator asks for them."""

from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.due_plans import run_plans
from lastcall.authority.login import LoggedIn, Start, login
from lastcall.authority.validate import validate
from lastcall.control.operations import run
from lastcall.control.records import Result
from lastcall.domain.client import Client
from lastcall.domain.errors import Conflict, Invalid, NotAuthenticated, NotFound
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Policy
from lastcall.domain.session import Lifetime, Participant
from lastcall.domain.types import DAY, HOUR, MINUTE, ClientId, DialectName, Kind, iso_time
from tests.world import TENANT, World, make_world

PASSWORDS = {"john": "johnpassword", "monitor": "Monitor_1234", "admin": "Admin_1234"}
WEB, API = DialectName("web"), DialectName("api")


@pytest.fixture
async def world() -> World:
    return await make_world()


async def log_in(world: World, name: str, **more: Any) -> LoggedIn:
    origin = Origin(**{"dialect": WEB, "address": "10.0.0.1", "user_agent": "Firefox/1", **more})
    given = Credentials(name=name, password=PASSWORDS[name])
    proven = await prove(world.env, TENANT, origin, given)
    start = Start(
        kind=Kind.BROWSER,
        lifetime=Lifetime(idle=None, absolute=DAY),
        mint=lambda entropy, _id, _ends: entropy.bytes(16).hex(),
    )
    return await login(world.env, origin, proven, start)


async def lives(world: World, *some: LoggedIn) -> list[bool]:
    found = []
    for one in some:
        origin = Origin(dialect=one.session.dialect)
        try:
            await validate(world.env, TENANT, one.token, origin, counts_as_use=False)
        except NotAuthenticated:
            found.append(False)
        else:
            found.append(True)
    return found


async def shown(world: World, **about: Any) -> Result:
    return await run(world.env, "logout.preview", {"about": about})


async def test_each_criterion(world: World) -> None:
    countries = {"10.0.0.1": "NL"}
    world.env = replace(world.env, country_of=lambda address: countries.get(address, ""))
    now = world.clock.now()
    shop = Client(id=ClientId("c1"), tenant=TENANT, name="shop", created=now, changed=now)
    john = await log_in(world, "john")
    world.clock.advance(HOUR)
    await log_in(world, "admin", dialect=API, address="192.0.2.1", user_agent="curl/8")
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_client(shop)
        await tx.join(john.session.id, Participant(client=shop.id, sid="x", account=""))
    for about in (
        {"users": ["john"]},
        {"users": ["u-john"]},
        {"apps": ["shop"]},
        {"roles": ["monitor"]},
        {"groups": ["administrator"]},
        {"networks": ["10.0.0.0/8"]},
        {"countries": ["nl"]},
        {"device": "firefox"},
        {"dialects": ["web"]},
        {"older_than": 30 * MINUTE},
        {"idle_for": 30 * MINUTE},
    ):
        made = await shown(world, **about)
        assert (made["users"], made["sessions"], made["last_admin"]) == (1, 1, False), about
    assert made["applications"] == 1
    assert made["cannot_be_told"] == ["shop"]
    for about, number in (({"factor": "password"}, 2), ({"without_factor": "totp"}, 2), ({}, 2)):
        assert (await shown(world, **about))["sessions"] == number
    assert (await shown(world, factor="totp"))["sessions"] == 0


async def test_the_last_administrators_and_unknown_names_are_told(world: World) -> None:
    await log_in(world, "john")
    made = await shown(world, users=["john", "nobody"])
    assert list(made["unknown_users"]) == ["nobody"]
    assert made["self_included"] is False


@pytest.mark.parametrize(
    "about",
    [
        {"users": ["nobody"]},
        {"apps": ["nothing"]},
        {"networks": ["somewhere"]},
        {"countries": ["NL"]},
        {"factor": "luck"},
        {"older_than": -1},
        {"color": "red"},
        {"users": "john"},
    ],
)
async def test_what_is_no_criterion(world: World, about: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await shown(world, **about)


async def test_exactly_what_was_shown_ends(world: World) -> None:
    john, admin = await log_in(world, "john"), await log_in(world, "admin")
    made = await shown(world, roles=["monitor"])
    late = await log_in(world, "monitor")
    given = {"preview": made["preview"], "reason": "INC-7"}
    with pytest.raises(Invalid):
        await run(world.env, "logout.previewed", {**given, "reason": ""})
    done = await run(world.env, "logout.previewed", given)
    assert await lives(world, john, admin, late) == [False, True, True]
    assert done["receipt"]["sessions_ended"] == 1
    assert done["receipt"]["reason"] == "INC-7"
    assert done["drift"] == {"ended_since": 0, "new_since": 1}
    assert done["plan"] is None
    with pytest.raises(NotFound):
        await run(world.env, "logout.previewed", {**given, "preview": "p_nothing"})


async def test_a_plan_begins_at_its_time_unless_it_is_cancelled(world: World) -> None:
    john = await log_in(world, "john")
    made = await shown(world, users=["john"])
    start = world.clock.now() + HOUR
    given = {"preview": made["preview"], "reason": "INC-7"}
    with pytest.raises(Invalid):
        await run(world.env, "logout.previewed", {**given, "start": world.clock.now()})
    plans = []
    for _ in range(2):
        done = await run(world.env, "logout.previewed", {**given, "start": start})
        assert done["receipt"] is None
        plans.append(done["plan"])
    assert (plans[0]["state"], plans[0]["start"]) == ("scheduled", iso_time(start))
    cancelled = await run(world.env, "plans.cancel", {"plan": plans[0]["plan"]})
    assert cancelled["plan"]["state"] == "cancelled"
    with pytest.raises(Conflict):
        await run(world.env, "plans.cancel", {"plan": plans[0]["plan"]})
    assert await run_plans(world.env) == 0
    world.clock.advance(HOUR)
    assert await run_plans(world.env) == 1
    assert await lives(world, john) == [False]
    listed = (await run(world.env, "plans.list", {}))["plans"]
    assert [one["state"] for one in listed] == ["cancelled", "done"]
    assert listed[1]["receipt"]


async def test_a_second_person_is_somebody_else() -> None:
    world = await make_world(policy=Policy(second_person_for_mass=True))
    john = await log_in(world, "john")
    admin = await log_in(world, "admin")
    made = await shown(world, users=["john"])
    given = {"preview": made["preview"], "reason": "INC-7"}
    plan = (await run(world.env, "logout.previewed", given))["plan"]
    assert plan["state"] == "waiting"
    with pytest.raises(Conflict):
        await run(world.env, "plans.approve", {"plan": plan["plan"]})
    with pytest.raises(NotFound):
        await run(world.env, "plans.approve", {"plan": "m_nothing"})
    async with world.env.store.transaction(TENANT) as tx:
        kept = (await tx.plans())[0]
        await tx.put_plan(replace(kept, by=admin.session.subject, by_name="admin"))
    approved = (await run(world.env, "plans.approve", {"plan": plan["plan"]}))["plan"]
    assert (approved["state"], approved["approved_by"]) == ("scheduled", "operator")
    assert await run_plans(world.env) == 1
    assert await lives(world, john) == [False]
