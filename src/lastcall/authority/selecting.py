"""Selecting: which live sessions criteria name, found in slices that let others in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from lastcall.domain.selection import Selection, matches, networks_of
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import Serial, SessionId, TenantId
from lastcall.ports import Env

SLICE = 500
"""Sessions looked at in one transaction: some milliseconds, in which nobody else gets on."""


async def selected(
    env: Env, tenant: TenantId, selection: Selection
) -> AsyncIterator[tuple[Session, Subject]]:
    """The live sessions a selection names, oldest first; none that began since the first look.

    Each is judged as it is when it is looked at. A session that somebody sits in for another is
    named by what either of them is. Without a GeoIP file nobody is in any country.
    """
    networks = networks_of(selection)
    country_of = env.country_of if selection.countries else None
    async with env.store.transaction(tenant) as tx:
        below = Serial(await tx.serial() + 1)
    first: Serial | None = Serial(0)
    while first is not None:
        found: list[tuple[Session, Subject]] = []
        async with env.store.transaction(tenant) as tx:
            now = env.clock.now()
            rows, first = await tx.live_slice(first, below, now, SLICE)
            for session in rows:
                subject = await tx.subject(session.subject)
                sitter = await tx.subject(session.impersonator) if session.impersonator else None
                country = country_of(session.address) if country_of else ""
                if subject and any(
                    matches(selection, networks, session, one, now, country)
                    for one in (subject, sitter)
                    if one
                ):
                    found.append((session, subject))
        for one in found:
            yield one
        await asyncio.sleep(0)


async def unended(env: Env, tenant: TenantId, sessions: Iterable[SessionId]) -> int:
    """How many of these have not been ended, looked up in slices."""
    left, count = list(sessions), 0
    while left:
        some, left = left[:SLICE], left[SLICE:]
        async with env.store.transaction(tenant) as tx:
            rows = [await tx.session(one) for one in some]
        count += sum(row is not None and row.ended is None for row in rows)
        await asyncio.sleep(0)
    return count
