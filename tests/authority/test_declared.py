"""What the configuration describes is what the store has, after every start."""

from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.client_changes import add_client, change_client
from lastcall.authority.clients import list_clients, one_client
from lastcall.authority.declared import Declared, declare
from lastcall.domain.access import operator
from lastcall.domain.client import Client
from lastcall.domain.errors import Invalid
from lastcall.domain.types import ClientId, DialectName, Instant
from lastcall.ports import Env
from tests.authority.acts import audit, begin, origin
from tests.world import OTHER, TENANT, World, make_world

BOSS = operator(TENANT, origin())


def wanted(name: str = "wiki", secrets: dict[str, str] | None = None, **more: Any) -> Declared:
    made = Client(
        id=ClientId(""),
        tenant=TENANT,
        name=name,
        connector="webhook",
        created=Instant(0),
        changed=Instant(0),
    )
    return Declared(client=replace(made, **more), secrets=secrets or {})


async def test_what_is_new_is_added_and_a_second_start_changes_nothing() -> None:
    world = await make_world()
    for _ in range(2):
        await declare(world.env, TENANT, [wanted(secrets={"key": "s3cret"}), wanted("mail")])
        world.clock.advance(1_000)
    mail, wiki = await list_clients(world.env, BOSS)
    assert wiki.declared
    assert mail.declared
    assert world.vault.open(wiki.secrets["key"], f"client:{wiki.id}:key") == "s3cret"
    assert [record.event.action for record in await audit(world)] == ["client-added"] * 2
    assert await list_clients(world.env, operator(OTHER, origin())) == []


async def test_what_differs_is_changed_and_keeps_its_id() -> None:
    world = await make_world()
    await declare(world.env, TENANT, [wanted(secrets={"key": "one", "old": "x"})])
    before = await one_client(world.env, BOSS, "wiki")
    world.clock.advance(1_000)
    await declare(world.env, TENANT, [wanted(secrets={"key": "two"}, owner="Wendy")])
    after = await one_client(world.env, BOSS, "wiki")
    assert (after.id, after.created, after.owner) == (before.id, before.created, "Wendy")
    assert set(after.secrets) == {"key"}
    assert world.vault.open(after.secrets["key"], f"client:{after.id}:key") == "two"


async def test_what_is_no_longer_declared_is_disabled_until_it_is_again() -> None:
    world = await make_world()
    await declare(world.env, TENANT, [wanted()])
    for _ in range(2):
        await declare(world.env, TENANT, [])
        assert not (await one_client(world.env, BOSS, "wiki")).enabled
    await declare(world.env, TENANT, [wanted()])
    assert (await one_client(world.env, BOSS, "wiki")).enabled


async def test_what_was_made_by_hand_is_left_alone_unless_it_has_the_name() -> None:
    world = await make_world()
    for name in ("fax", "wiki"):
        await add_client(world.env, BOSS, wanted(name, owner="hand").client)
    await declare(world.env, TENANT, [wanted(owner="file")])
    fax, wiki = await list_clients(world.env, BOSS)
    assert (fax.declared, fax.enabled, fax.owner) == (False, True, "hand")
    assert (wiki.declared, wiki.owner) == (True, "file")


async def test_what_was_changed_by_hand_is_changed_back() -> None:
    world = await make_world()
    await declare(world.env, TENANT, [wanted()])
    client = await one_client(world.env, BOSS, "wiki")
    await change_client(world.env, BOSS, client.id, lambda one: replace(one, enabled=False))
    await declare(world.env, TENANT, [wanted()])
    assert (await one_client(world.env, BOSS, "wiki")).enabled


async def test_settings_that_will_not_do_are_refused_but_can_be_withdrawn() -> None:
    world = await make_world()
    with pytest.raises(Invalid, match="wrong is odd"):
        await declare(world.env, TENANT, [wanted(settings={"wrong": "is odd"})])


def joining(world: World, *names: str) -> Env:
    return replace(world.env, joins={DialectName("native"): names})


async def test_sessions_of_a_wire_join_what_it_says() -> None:
    world = await make_world()
    await declare(world.env, TENANT, [wanted(), wanted("mail")])
    world.env = joining(world, "wiki", "nobody-has-this", "mail")
    session = (await begin(world, "john")).session
    clients = {one.id: one.name for one in await list_clients(world.env, BOSS)}
    assert [clients[one.client] for one in session.participants] == ["wiki", "mail"]
    sids = [world.vault.open(one.sid, f"sid:{one.client}") for one in session.participants]
    assert sids == [session.id, session.id]
