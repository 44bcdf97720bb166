"""Sessions: listing them and looking at one."""

from dataclasses import replace

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action
from lastcall.domain.errors import NotFound
from lastcall.domain.session import Session
from lastcall.domain.types import SessionId
from lastcall.ports import Env, Page, SessionQuery

MOST = 500
"""Rows in one page, whatever was asked."""


async def list_sessions(env: Env, caller: Caller, query: SessionQuery) -> Page:
    """Newest first. Everybody may list their own; any other query needs the permission."""
    async with refusals(env, caller, Action.LIST), env.store.transaction(caller.tenant) as tx:
        caller = await standing(tx, caller, env.clock.now())
        if query.subject is None or query.subject != caller.subject:
            require(caller, Permission.SESSION_LIST_OTHERS)
        return await tx.sessions(replace(query, limit=min(query.limit, MOST)))


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
