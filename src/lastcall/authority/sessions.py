"""Sessions: listing them, looking at one, and which of them a token belongs to."""

from dataclasses import replace

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action
from lastcall.domain.errors import NotFound
from lastcall.domain.session import Session
from lastcall.domain.token import hash_token
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
