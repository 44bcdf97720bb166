"""Accounts: whom a name means, one's own record and others', and accounts by the page."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action
from lastcall.domain.errors import NotFound
from lastcall.domain.subject import Subject
from lastcall.domain.types import SubjectId, TenantId
from lastcall.ports import Env, Transaction

SLICE = 500
"""The most in one page, and those looked at in one transaction."""

SCANNED = 10_000
"""How many accounts a search by part of a name looks through."""


async def called(tx: Transaction, name: str, *, with_email: bool = False) -> Subject | None:
    """The account of that username; where e-mail addresses are names too, these go before."""
    by_email = with_email and "@" in name
    found = await tx.subject_with_email(name) if by_email else None
    return found or await tx.subject_named(name)


async def named_or_id(tx: Transaction, name_or_id: str) -> Subject | None:
    return await tx.subject_named(name_or_id) or await tx.subject(SubjectId(name_or_id))


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
            found = await called(tx, name, with_email=True)
        others = Permission.SUBJECT_READ in caller.role.permissions
        if found is None or not found.enabled or not (others or found.id == caller.subject):
            raise NotFound("no such subject")
        return found


async def any_account(env: Env, caller: Caller, name_or_id: str) -> Subject:
    """The account of that username, else of that id, disabled or not. Raises `NotFound`."""
    async with env.store.transaction(caller.tenant) as tx:
        require(await standing(tx, caller, env.clock.now()), Permission.SUBJECT_READ)
        found = await named_or_id(tx, name_or_id)
    if found is None:
        raise NotFound("no such account")
    return found


async def account_called(
    env: Env, tenant: TenantId, name: str, *, with_email: bool = False
) -> Subject | None:
    """Whom a call means; what may be done to them, or told of them, is for the verb to decide."""
    async with env.store.transaction(tenant) as tx:
        return await called(tx, name, with_email=with_email)


async def accounts(env: Env, caller: Caller, after: str, limit: int) -> Sequence[Subject]:
    """By username, those above `after`."""
    async with env.store.transaction(caller.tenant) as tx:
        require(await standing(tx, caller, env.clock.now()), Permission.SUBJECT_READ)
        return await tx.subjects(after, min(limit, SLICE))


async def accounts_of(
    env: Env, caller: Caller, ids: Iterable[SubjectId]
) -> Mapping[SubjectId, Subject]:
    """Those of the ids that exist, for whoever may list others' sessions."""
    async with env.store.transaction(caller.tenant) as tx:
        require(await standing(tx, caller, env.clock.now()), Permission.SESSION_LIST_OTHERS)
        found = [await tx.subject(one) for one in dict.fromkeys(ids)]
    return {subject.id: subject for subject in found if subject is not None}


async def accounts_like(env: Env, caller: Caller, text: str, limit: int) -> Sequence[Subject]:
    """Up to `limit` enabled accounts whose username or name holds the text, whatever its case."""
    wanted = text.casefold()
    matches: list[Subject] = []
    scanned = 0
    async for some in _slices(env, caller, Permission.SESSION_LIST_OTHERS):
        matches += [
            one
            for one in some
            if one.enabled and wanted in f"{one.username}\n{one.display_name}".casefold()
        ]
        scanned += len(some)
        if len(matches) >= limit or scanned >= SCANNED:
            break
    return matches[:limit]


async def account_where(
    env: Env, caller: Caller, matches: Callable[[Subject], bool]
) -> SubjectId | None:
    """The first account that matches: for ids a wire derives from ours and that cannot be undone.

    Reads every account in the worst case, so only for a caller who may log others out.
    """
    if Permission.SUBJECT_LOGOUT not in caller.role.permissions:
        return None
    async for some in _slices(env, caller, Permission.SUBJECT_LOGOUT):
        for one in some:
            if matches(one):
                return one.id
    return None


async def _slices(env: Env, caller: Caller, needs: Permission) -> AsyncIterator[Sequence[Subject]]:
    """All accounts, by username; whether the caller may is asked again at each transaction."""
    after = ""
    while True:
        async with env.store.transaction(caller.tenant) as tx:
            require(await standing(tx, caller, env.clock.now()), needs)
            some = await tx.subjects(after, SLICE)
        yield some
        if len(some) < SLICE:
            return
        after = some[-1].username
