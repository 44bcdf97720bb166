"""Directory: looking accounts up and listing them, for whoever may read them."""

from collections.abc import Sequence

from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.errors import NotFound
from lastcall.domain.subject import Subject
from lastcall.domain.types import SubjectId
from lastcall.ports import Env

MOST = 500
"""Rows in one page, whatever was asked."""


async def list_subjects(
    env: Env, caller: Caller, after: str = "", limit: int = 100
) -> Sequence[Subject]:
    """By username, those above `after`."""
    async with env.store.transaction(caller.tenant) as tx:
        require(await standing(tx, caller, env.clock.now()), Permission.SUBJECT_READ)
        return await tx.subjects(after, min(limit, MOST))


async def look_up(env: Env, caller: Caller, name_or_id: str) -> Subject:
    """The account of that username, else of that id. Raises `NotFound`."""
    async with env.store.transaction(caller.tenant) as tx:
        require(await standing(tx, caller, env.clock.now()), Permission.SUBJECT_READ)
        found = await tx.subject_named(name_or_id) or await tx.subject(SubjectId(name_or_id))
    if found is None:
        raise NotFound("no such account")
    return found


async def taken_names(env: Env, caller: Caller, usernames: Sequence[str]) -> frozenset[str]:
    """Which of these names are in use in the caller's tenant."""
    async with env.store.transaction(caller.tenant) as tx:
        require(await standing(tx, caller, env.clock.now()), Permission.SUBJECT_READ)
        return frozenset([name for name in usernames if await tx.subject_named(name)])
