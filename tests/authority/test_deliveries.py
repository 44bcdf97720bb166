"""Deliveries by hand: listing them, trying one again, and trying an application."""

from dataclasses import replace

import pytest

from lastcall.authority.client_changes import add_client, change_client, remove_client
from lastcall.authority.deliveries import list_deliveries, redeliver, try_client
from lastcall.authority.joining import join
from lastcall.authority.logout import logout
from lastcall.domain.access import operator
from lastcall.domain.audit import Action
from lastcall.domain.client import Ability, Client
from lastcall.domain.delivery import Delivery, DeliveryId, DeliveryState, Outcome
from lastcall.domain.errors import Conflict, Denied, NotFound
from lastcall.domain.logout import OneSession
from lastcall.domain.settling import claimed
from lastcall.domain.types import ClientId, Duration, Instant, later
from tests.authority.acts import audit, begin, origin
from tests.world import OTHER, TENANT, World, make_world

BOSS = operator(TENANT, origin())


async def app(world: World, name: str = "wiki", url: str = "https://wiki.example") -> Client:
    blank = Client(
        id=ClientId(""),
        tenant=TENANT,
        name=name,
        connector="webhook",
        settings={"url": url},
        created=Instant(0),
        changed=Instant(0),
    )
    return await add_client(world.env, BOSS, blank)


async def owed(world: World, client: Client) -> Delivery:
    """One notice, owed to the client for the end of a session of the monitor."""
    done = await begin(world, "monitor")
    await join(world.env, BOSS, done.session.id, client.name)
    await logout(world.env, BOSS, OneSession(session=done.session.id), "")
    return (await list_deliveries(world.env, BOSS, client.name))[1][0]


async def put(world: World, delivery: Delivery) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_delivery(delivery)


async def test_an_application_shows_what_it_is_owed() -> None:
    world = await make_world()
    client = await app(world)
    first = await owed(world, client)
    second = await owed(world, client)
    found, rows = await list_deliveries(world.env, BOSS, client.id)
    assert found == client
    assert sorted(row.id for row in rows) == sorted({first.id, second.id})
    _, page = await list_deliveries(world.env, BOSS, "wiki", after=rows[0].id, limit=1)
    assert page == rows[1:]
    settled = frozenset({DeliveryState.VERIFIED})
    assert (await list_deliveries(world.env, BOSS, "wiki", states=settled))[1] == []


async def test_nobody_else_sees_or_moves_it() -> None:
    world = await make_world()
    client = await app(world)
    row = await owed(world, client)
    john = (await begin(world, "john")).caller
    for attempt in (
        list_deliveries(world.env, john, "wiki"),
        redeliver(world.env, john, row.id),
        try_client(world.env, john, "wiki"),
    ):
        with pytest.raises(Denied):
            await attempt
    other = operator(OTHER, origin())
    for attempt in (
        list_deliveries(world.env, other, client.id),
        redeliver(world.env, other, row.id),
        try_client(world.env, other, "wiki"),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_what_was_given_up_is_tried_again_from_now_on() -> None:
    world = await make_world()
    row = await owed(world, await app(world))
    state = DeliveryState.UNREACHABLE
    await put(world, replace(row, state=state, next_at=None, settled_at=row.created))
    world.clock.advance(5_000)
    after = await redeliver(world.env, BOSS, row.id)
    assert (after.state, after.next_at) == (DeliveryState.QUEUED, world.clock.now())
    event = (await audit(world))[-1].event
    assert (event.action, event.target, event.code) == (Action.REDELIVERED, row.id, state)


async def test_whoever_was_left_alone_is_asked_again_at_once() -> None:
    world = await make_world()
    client = await app(world)
    delivery = await owed(world, client)
    again: list[ClientId] = []
    world.env.applications.on_again = again.append
    await redeliver(world.env, BOSS, delivery.id)
    assert again == [client.id]
    with pytest.raises(NotFound):
        await redeliver(world.env, BOSS, DeliveryId("other"))
    assert again == [client.id]


async def test_a_try_that_is_under_way_is_left_alone() -> None:
    world = await make_world()
    row = await owed(world, await app(world))
    await put(world, claimed(row, later(world.clock.now(), Duration(1))))
    with pytest.raises(Conflict):
        await redeliver(world.env, BOSS, row.id)
    world.clock.advance(1)
    assert (await redeliver(world.env, BOSS, row.id)).next_at == world.clock.now()


async def test_whoever_cannot_be_told_is_not_tried() -> None:
    world = await make_world()
    client = await app(world)
    row = await owed(world, client)
    await change_client(world.env, BOSS, client.id, lambda one: replace(one, can=Ability.NONE))
    with pytest.raises(Conflict):
        await redeliver(world.env, BOSS, row.id)
    await remove_client(world.env, BOSS, client.id)
    with pytest.raises(Conflict):
        await redeliver(world.env, BOSS, row.id)
    with pytest.raises(NotFound):
        await redeliver(world.env, BOSS, DeliveryId("d_unknown"))


async def test_an_application_is_tried_and_the_trial_recorded() -> None:
    world = await make_world()
    await app(world)
    dead = await app(world, "crm", "https://dead.example")
    client, trial = await try_client(world.env, BOSS, "wiki")
    assert (client.name, trial.outcome, trial.status) == ("wiki", Outcome.DONE, 200)
    _, trial = await try_client(world.env, BOSS, dead.id)
    assert (trial.outcome, trial.error) == (Outcome.RETRY, "connect")
    assert (await audit(world))[-1].event.action is Action.CLIENT_TESTED
