"""Clients: listing the applications of a tenant, and what people are called there."""

from collections.abc import Sequence

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.client import Client
from lastcall.domain.errors import Invalid, NotFound
from lastcall.domain.types import ClientId, SubjectId
from lastcall.ports import Env, Transaction

LONGEST_ACCOUNT = 256


async def list_clients(env: Env, caller: Caller) -> Sequence[Client]:
    """By name; their secrets are sealed, and no wire shows even that."""
    async with (
        refusals(env, caller, Action.LIST, "clients"),
        env.store.transaction(caller.tenant) as tx,
    ):
        require(await standing(tx, caller, env.clock.now()), Permission.CLIENT_READ)
        return await tx.clients()


async def one_client(env: Env, caller: Caller, name_or_id: str) -> Client:
    """The application of that name, else of that id. Raises `NotFound`."""
    async with (
        refusals(env, caller, Action.LIST, f"client:{name_or_id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        require(await standing(tx, caller, env.clock.now()), Permission.CLIENT_READ)
        return await named_client(tx, name_or_id)


async def list_account(
    env: Env, caller: Caller, client: ClientId, subject: SubjectId, account: str
) -> None:
    """Say what a subject is called at a client; an empty name leaves it to the client's rule."""
    async with (
        refusals(env, caller, Action.ACCOUNT_LISTED, f"client:{client}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.CLIENT_WRITE)
        await found_client(tx, client)
        if await tx.subject(subject) is None:
            raise NotFound("no such subject")
        if len(account) > LONGEST_ACCOUNT:
            raise Invalid("account", f"is longer than {LONGEST_ACCOUNT} characters")
        await tx.put_account(client, subject, account)
        detail = {"subject": subject}
        await tx.record(event_by(caller, now, Action.ACCOUNT_LISTED, target=client, detail=detail))


async def found_client(tx: Transaction, id: ClientId) -> Client:
    found = await tx.client(id)
    if found is None:
        raise NotFound("no such application")
    return found


async def named_client(tx: Transaction, name_or_id: str) -> Client:
    return await tx.client_named(name_or_id) or await found_client(tx, ClientId(name_or_id))
