"""Accounts: whom a name means, and who the owners of listed sessions are."""

from collections.abc import Iterable, Mapping, Sequence

from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.subject import Subject
from lastcall.domain.types import SubjectId, TenantId
from lastcall.ports import Env

SCANNED = 10_000
"""How many accounts a search by part of a name looks through."""

SLICE = 500


async def account_with(env: Env, tenant: TenantId, name_or_email: str) -> Subject | None:
    """For verbs that act on a name without saying whether it exists."""
    async with env.store.transaction(tenant) as tx:
        named = await tx.subject_named(name_or_email)
        if named is None and "@" in name_or_email:
            return await tx.subject_with_email(name_or_email)
        return named


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
    scanned, after = 0, ""
    while True:
        async with env.store.transaction(caller.tenant) as tx:
            require(await standing(tx, caller, env.clock.now()), Permission.SESSION_LIST_OTHERS)
            rows = await tx.subjects(after, SLICE)
        matches += [
            row
            for row in rows
            if row.enabled and wanted in f"{row.username}\n{row.display_name}".casefold()
        ]
        scanned += len(rows)
        if len(matches) >= limit or len(rows) < SLICE or scanned >= SCANNED:
            return matches[:limit]
        after = rows[-1].username
