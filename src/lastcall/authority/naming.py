"""Naming: whom and what the names in a mass logout's criteria stand for."""

from collections.abc import Sequence
from dataclasses import dataclass

from lastcall.authority.accounts import named_or_id
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action
from lastcall.domain.errors import Invalid
from lastcall.domain.types import ClientId, SubjectId
from lastcall.ports import Env


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """`unknown` are the names and ids of users that nobody has."""

    subjects: frozenset[SubjectId]
    clients: frozenset[ClientId]
    unknown: tuple[str, ...]


async def named(env: Env, caller: Caller, users: Sequence[str], apps: Sequence[str]) -> Named:
    """Users by username or id, applications by name or id; for whoever may preview.

    Raises `Invalid` for an unknown application, and when none of the users is known: criteria
    that name nobody must not become criteria that name everybody.
    """
    async with (
        refusals(env, caller, Action.PREVIEW),
        env.store.transaction(caller.tenant) as tx,
    ):
        require(await standing(tx, caller, env.clock.now()), Permission.TENANT_LOGOUT)
        subjects: set[SubjectId] = set()
        unknown: list[str] = []
        for name in dict.fromkeys(users):
            subject = await named_or_id(tx, name)
            if subject is None:
                unknown.append(name)
            else:
                subjects.add(subject.id)
        if users and not subjects:
            raise Invalid("users", "must name at least one there is")
        clients: set[ClientId] = set()
        for name in dict.fromkeys(apps):
            client = await tx.client_named(name) or await tx.client(ClientId(name))
            if client is None:
                raise Invalid("apps", "must name applications there are")
            clients.add(client.id)
    return Named(subjects=frozenset(subjects), clients=frozenset(clients), unknown=tuple(unknown))
