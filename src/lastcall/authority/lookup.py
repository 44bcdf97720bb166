"""Looking up: whose record to show, and what the names and tokens in a call stand for."""

from collections.abc import Callable

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission
from lastcall.domain.audit import Action
from lastcall.domain.errors import NotFound
from lastcall.domain.subject import Subject
from lastcall.domain.token import hash_token
from lastcall.domain.types import SessionId, SubjectId, TenantId
from lastcall.ports import Env

SLICE = 500
"""Accounts looked at in one transaction."""


async def account(env: Env, caller: Caller, name: str | None = None) -> Subject:
    """One's own record; with the permission anybody's, by username or e-mail address.

    Raises `NotFound` alike for a name that is unknown, disabled, or not the caller's to read.
    """
    async with (
        refusals(env, caller, Action.LIST, "subject"),
        env.store.transaction(caller.tenant) as tx,
    ):
        caller = await standing(tx, caller, env.clock.now())
        if name is None:
            found = await tx.subject(caller.subject)
        else:
            by_email = await tx.subject_with_email(name) if "@" in name else None
            found = by_email or await tx.subject_named(name)
        others = Permission.SUBJECT_READ in caller.role.permissions
        if found is None or not found.enabled or not (others or found.id == caller.subject):
            raise NotFound("no such subject")
        return found


async def subject_named(env: Env, tenant: TenantId, username: str) -> Subject | None:
    """Whom a call means; what may be done to them, or told of them, is for the verb to decide."""
    async with env.store.transaction(tenant) as tx:
        return await tx.subject_named(username)


async def session_of_token(
    env: Env, caller: Caller, token: str, *, refresh: bool = False
) -> SessionId | None:
    """The session a token (or a refresh token) of the caller's wire belongs to, live or not.

    Whether the caller may end it is for `logout` to decide.
    """
    hashed = hash_token(token)
    async with env.store.transaction(caller.tenant) as tx:
        look_up = tx.session_with_refresh if refresh else tx.session_with_token
        session = await look_up(hashed)
    return session.id if session and session.dialect == caller.origin.dialect else None


async def subject_where(
    env: Env, caller: Caller, matches: Callable[[Subject], bool]
) -> SubjectId | None:
    """The first account that matches: for ids a wire derives from ours and that cannot be undone.

    Reads every account in the worst case, so only for a caller who may log others out.
    """
    if Permission.SUBJECT_LOGOUT not in caller.role.permissions:
        return None
    after = ""
    while True:
        async with env.store.transaction(caller.tenant) as tx:
            some = await tx.subjects(after, SLICE)
        for subject in some:
            if matches(subject):
                return subject.id
        if len(some) < SLICE:
            return None
        after = some[-1].username
