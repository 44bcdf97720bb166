"""Applications: who may say how they are told, what becomes of their secrets and their names."""

from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.client_changes import add_client, change_client, remove_client
from lastcall.authority.clients import list_account, list_clients, one_client
from lastcall.domain.access import operator
from lastcall.domain.client import Client
from lastcall.domain.errors import AuthorityError, Conflict, Denied, Invalid, NotFound
from lastcall.domain.types import ClientId, Duration, Instant, SubjectId
from tests.authority.acts import audit, begin, last_event, origin
from tests.world import OTHER, TENANT, World, make_world

BOSS = operator(TENANT, origin())
JOHN = SubjectId("u-john")


def wanted(name: str = "wiki", **more: Any) -> Client:
    made = Client(
        id=ClientId("ignored"),
        tenant=TENANT,
        name=name,
        connector="webhook",
        created=Instant(0),
        changed=Instant(0),
    )
    return replace(made, **more)


async def add(world: World, name: str = "wiki", **more: Any) -> Client:
    return await add_client(world.env, BOSS, wanted(name, **more))


async def test_an_application_is_added_under_an_id_of_ours_with_its_secrets_sealed() -> None:
    world = await make_world()
    made = await add_client(world.env, BOSS, wanted(), {"key": "s3cret", "none": ""})
    assert made.id.startswith("c_")
    assert made.created == world.clock.now()
    assert set(made.secrets) == {"key"}
    assert world.vault.open(made.secrets["key"], f"client:{made.id}:key") == "s3cret"
    assert await one_client(world.env, BOSS, "wiki") == made
    assert await one_client(world.env, BOSS, made.id) == made
    assert await list_clients(world.env, BOSS) == [made]
    assert not any("s3cret" in str(record) for record in await audit(world))
    assert await list_clients(world.env, operator(OTHER, origin())) == []


async def test_a_change_keeps_what_it_must_and_replaces_one_secret_at_a_time() -> None:
    world = await make_world()
    made = await add_client(world.env, BOSS, wanted(), {"key": "one", "pin": "1", "old": "x"})
    world.clock.advance(5)

    def change(client: Client) -> Client:
        return replace(client, id=ClientId("x"), tenant=OTHER, owner="sales", secrets={})

    after = await change_client(world.env, BOSS, made.id, change, {"key": "two", "old": ""})
    assert (after.id, after.tenant, after.owner, after.created) == (
        made.id,
        TENANT,
        "sales",
        made.created,
    )
    assert after.changed == world.clock.now()
    assert after.secrets["pin"] == made.secrets["pin"]
    assert world.vault.open(after.secrets["key"], f"client:{made.id}:key") == "two"
    assert set(after.secrets) == {"key", "pin"}
    same = await change_client(world.env, BOSS, made.id, lambda one: replace(one, owner="hr"))
    assert same.secrets == after.secrets


async def test_a_name_is_taken_once_in_a_tenant() -> None:
    world = await make_world()
    await add(world)
    with pytest.raises(Conflict):
        await add(world)
    crm = await add(world, "crm")
    with pytest.raises(Conflict):
        await change_client(world.env, BOSS, crm.id, lambda one: replace(one, name="wiki"))
    await add_client(world.env, operator(OTHER, origin()), wanted())


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"timeout": Duration(99)},
        {"concurrency": 0},
        {"outlives": Duration(-1)},
    ],
)
async def test_what_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    world = await make_world()
    with pytest.raises(Invalid):
        await add(world, **change)
    made = await add(world)
    with pytest.raises(Invalid):
        await change_client(world.env, BOSS, made.id, lambda one: replace(one, **change))


async def test_removing_one_takes_its_listed_names_along() -> None:
    world = await make_world()
    made = await add(world)
    await list_account(world.env, BOSS, made.id, JOHN, "jdoe")
    await remove_client(world.env, BOSS, made.id)
    assert (await last_event(world))[:2] == ("client-removed", "done")
    assert await list_clients(world.env, BOSS) == []
    async with world.env.store.transaction(TENANT) as tx:
        assert await tx.account_listed(made.id, JOHN) is None


async def test_a_name_at_a_client_is_listed_and_struck_out() -> None:
    world = await make_world()
    made = await add(world)
    for account in ("jdoe", "john.doe", ""):
        await list_account(world.env, BOSS, made.id, JOHN, account)
        async with world.env.store.transaction(TENANT) as tx:
            assert (await tx.account_listed(made.id, JOHN) or "") == account
    with pytest.raises(Invalid):
        await list_account(world.env, BOSS, made.id, JOHN, "x" * 257)
    with pytest.raises(NotFound):
        await list_account(world.env, BOSS, made.id, SubjectId("u-nobody"), "x")


async def refused(world: World, id: ClientId, name: str, error: type[AuthorityError]) -> None:
    """Every verb refuses the caller alike, and the refusal is on record."""
    caller = (await begin(world, name)).caller
    verbs = (
        lambda: change_client(world.env, caller, id, lambda one: one),
        lambda: remove_client(world.env, caller, id),
        lambda: one_client(world.env, caller, id),
        lambda: list_account(world.env, caller, id, JOHN, "x"),
    )
    for verb in verbs:
        with pytest.raises(error):
            await verb()
        assert (await last_event(world))[1] == "refused"


async def test_only_those_who_may_do_any_of_it() -> None:
    world = await make_world()
    made = await add(world)
    for name in ("engineer", "john"):
        await refused(world, made.id, name, Denied)
        caller = (await begin(world, name)).caller
        with pytest.raises(Denied):
            await add_client(world.env, caller, wanted("x"))
        with pytest.raises(Denied):
            await list_clients(world.env, caller)
    await refused(world, ClientId("c_none"), "admin", NotFound)


async def test_what_the_connector_cannot_use_is_refused_unless_it_is_switched_off() -> None:
    world = await make_world()
    with pytest.raises(Invalid) as refusal:
        await add(world, connector="pigeon")
    assert refusal.value.field == "connector"
    await add(world, connector="pigeon", enabled=False)
