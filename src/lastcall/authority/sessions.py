"""Sessions: listing them, looking at one, and which of them a token belongs to."""

import asyncio
from dataclasses import replace

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action
from lastcall.domain.errors import NotFound
from lastcall.domain.session import Session
from lastcall.domain.token import hash_token
from lastcall.domain.types import Serial, SessionId
from lastcall.ports import Env, Page, SessionQuery, Transaction

MOST = 500
"""Rows in one page, whatever was asked."""

SLICE = 500
"""Sessions looked at in one transaction: some milliseconds, in which nobody else gets on."""


async def list_sessions(env: Env, caller: Caller, query: SessionQuery) -> Page:
    """Newest first. Everybody may list their own; any other query needs the permission.

    Everybody's are looked at in slices: `total` is what each slice said when it was its turn.
    """
    query = replace(query, limit=min(query.limit, MOST))
    async with refusals(env, caller, Action.LIST):
        if query.subject is None:
            return await _everybodys(env, caller, query)
        async with env.store.transaction(caller.tenant) as tx:
            await _standing_to_list(tx, env, caller, query)
            return await tx.sessions(query)


async def _everybodys(env: Env, caller: Caller, query: SessionQuery) -> Page:
    """Who loses the permission on the way is told nothing."""
    page: list[Session] = []
    total = place = 0
    below: Serial | None = None
    while True:
        async with env.store.transaction(caller.tenant) as tx:
            await _standing_to_list(tx, env, caller, query)
            rows, below = await tx.sessions_below(below, query, SLICE)
        total += len(rows)
        for row in rows:
            if query.before is None or row.serial < query.before:
                if query.offset <= place < query.offset + query.limit:
                    page.append(row)
                place += 1
        if below is None:
            break
        await asyncio.sleep(0)
    more = page and place > query.offset + query.limit
    return Page(sessions=tuple(page), total=total, next=page[-1].serial if more else None)


async def _standing_to_list(tx: Transaction, env: Env, caller: Caller, query: SessionQuery) -> None:
    now = await standing(tx, caller, env.clock.now())
    if query.subject is None or query.subject != now.subject:
        require(now, Permission.SESSION_LIST_OTHERS)


async def session_by_id(
    env: Env, caller: Caller, id: SessionId, *, of_others: bool = False
) -> Session:
    """One session, ended ones too; `NotFound` for another's unless `of_others` and permitted."""
    async with (
        refusals(env, caller, Action.LIST, f"session:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        caller = await standing(tx, caller, env.clock.now())
        if of_others:
            require(caller, Permission.SESSION_LIST_OTHERS)
        session = await tx.session(id)
        if session is None or not (of_others or session.subject == caller.subject):
            raise NotFound("no such session")
        return session


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
