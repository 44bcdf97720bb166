"""Deliveries: what applications are owed, trying it again by hand, and trying an application."""

from collections.abc import Sequence

from lastcall.authority.clients import named_client
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.client import Client
from lastcall.domain.delivery import Delivery, DeliveryId, DeliveryState
from lastcall.domain.errors import Conflict, NotFound
from lastcall.domain.settling import redelivered
from lastcall.domain.trial import Trial
from lastcall.ports import Env

MOST = 500
"""Deliveries in one page, whatever was asked."""


async def list_deliveries(
    env: Env,
    caller: Caller,
    name_or_id: str,
    *,
    states: frozenset[DeliveryState] = frozenset(),
    after: str = "",
    limit: int = 100,
) -> tuple[Client, Sequence[Delivery]]:
    """An application and what it is or was owed, by id, those above `after`."""
    async with (
        refusals(env, caller, Action.LIST, f"deliveries:{name_or_id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        require(await standing(tx, caller, env.clock.now()), Permission.CLIENT_READ)
        client = await named_client(tx, name_or_id)
        rows = await tx.deliveries(
            client=client.id, states=states, after=after, limit=min(limit, MOST)
        )
    return client, rows


async def redeliver(env: Env, caller: Caller, id: DeliveryId) -> Delivery:
    """Try it again from now on, whatever became of it and however often its application failed.

    Raises `Conflict` while a try is under way, and for an application that cannot be told.
    """
    async with (
        refusals(env, caller, Action.REDELIVERED, f"delivery:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.CLIENT_WRITE)
        before = await tx.delivery(id)
        if before is None:
            raise NotFound("no such delivery")
        client = await tx.client(before.client)
        if client is None or not client.can_be_told:
            raise Conflict("the application cannot be told")
        if before.claimed_until > now:
            raise Conflict("a try is under way")
        after = redelivered(before, now)
        await tx.put_delivery(after)
        detail = {"client": client.id, "receipt": before.receipt}
        event = event_by(
            caller, now, Action.REDELIVERED, target=id, code=before.state, detail=detail
        )
        await tx.record(event)
    if env.applications.on_again is not None:
        env.applications.on_again(client.id)
    return after


async def try_client(env: Env, caller: Caller, name_or_id: str) -> tuple[Client, Trial]:
    """Send an application a real notice that can end nothing, and see how it answers."""
    async with (
        refusals(env, caller, Action.CLIENT_TESTED, f"client:{name_or_id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.CLIENT_WRITE)
        client = await named_client(tx, name_or_id)
        await tx.record(event_by(caller, now, Action.CLIENT_TESTED, target=client.id))
    return client, await env.applications.test(client)
