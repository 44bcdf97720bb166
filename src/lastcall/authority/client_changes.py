"""Changing clients: adding, changing and removing the applications of a tenant."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from lastcall.authority.clients import found_client
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.client import TIMEOUTS, Client
from lastcall.domain.errors import Invalid
from lastcall.domain.token import ID_BYTES, id_text
from lastcall.domain.types import ClientId
from lastcall.ports import Env

LONGEST_NAME = 100
CONCURRENCY = range(1, 1_001)


async def add_client(
    env: Env, caller: Caller, wanted: Client, secrets: Mapping[str, str] | None = None
) -> Client:
    """A new application, under an id of ours; `secrets` come in the clear and are kept sealed.

    Raises `Conflict` when the name is taken, `Invalid`, `Denied`.
    """
    async with (
        refusals(env, caller, Action.CLIENT_ADDED, f"client:{wanted.name}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.CLIENT_WRITE)
        new = ClientId("c_" + id_text(env.entropy.bytes(ID_BYTES)))
        client = replace(wanted, id=new, tenant=caller.tenant, secrets={}, created=now, changed=now)
        client = _with_secrets(env, client, secrets or {})
        _check(env, client)
        await tx.put_client(client)
        detail = {"name": client.name}
        await tx.record(event_by(caller, now, Action.CLIENT_ADDED, target=new, detail=detail))
    return client


async def change_client(
    env: Env,
    caller: Caller,
    id: ClientId,
    change: Callable[[Client], Client],
    secrets: Mapping[str, str] | None = None,
) -> Client:
    """Apply `change`; each of the `secrets` replaces the one of its name, an empty one drops it.

    What is owed already is tried with the client as it is then.
    """
    async with (
        refusals(env, caller, Action.CLIENT_CHANGED, f"client:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.CLIENT_WRITE)
        before = await found_client(tx, id)
        after = replace(
            change(before),
            id=before.id,
            tenant=before.tenant,
            secrets=before.secrets,
            created=before.created,
            changed=now,
        )
        after = _with_secrets(env, after, secrets or {})
        _check(env, after)
        await tx.put_client(after)
        detail = {"name": after.name}
        await tx.record(event_by(caller, now, Action.CLIENT_CHANGED, target=id, detail=detail))
    return after


async def remove_client(env: Env, caller: Caller, id: ClientId) -> None:
    """Forget an application and the names listed for it.

    What it is still owed stays on record, and ends as undeliverable when it is next due.
    """
    async with (
        refusals(env, caller, Action.CLIENT_REMOVED, f"client:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.CLIENT_WRITE)
        before = await found_client(tx, id)
        await tx.remove_client(id)
        detail = {"name": before.name}
        await tx.record(event_by(caller, now, Action.CLIENT_REMOVED, target=id, detail=detail))


def _with_secrets(env: Env, client: Client, secrets: Mapping[str, str]) -> Client:
    kept = {name: sealed for name, sealed in client.secrets.items() if name not in secrets}
    new = {
        name: env.vault.seal(text, f"client:{client.id}:{name}")
        for name, text in secrets.items()
        if text
    }
    return replace(client, secrets={**kept, **new})


def _check(env: Env, client: Client) -> None:
    if not client.name.strip() or len(client.name) > LONGEST_NAME:
        raise Invalid("name", f"must have 1 to {LONGEST_NAME} characters")
    if client.timeout not in TIMEOUTS:
        raise Invalid("timeout", f"must be {TIMEOUTS[0]} to {TIMEOUTS[-1]} milliseconds")
    if client.concurrency not in CONCURRENCY:
        raise Invalid("concurrency", f"must be {CONCURRENCY[0]} to {CONCURRENCY[-1]}")
    if client.outlives < 0:
        raise Invalid("outlives", "must not be negative")
    for problem in env.applications.problems(client) if client.enabled else ():
        field, _, text = problem.partition(": ")
        raise Invalid(field, text)
