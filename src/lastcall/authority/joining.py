"""Joining: an application says that a session goes on in it, and under which names."""

from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.client import Client
from lastcall.domain.errors import Conflict, Invalid, NotFound
from lastcall.domain.session import Participant, Session, State, joined, state_of
from lastcall.domain.types import ClientId, SessionId
from lastcall.ports import Env, Transaction

MOST = 100
"""Applications' sessions in one session."""

LONGEST = 512
"""Characters in an application's session id or account name."""


async def join(
    env: Env, caller: Caller, id: SessionId, client: str, sid: str = "", account: str = ""
) -> Session:
    """Add the application of that name (or id) to a live session; its notices name `sid`.

    The session's own caller may do so, but cannot say what it is called there: that would end
    another's sessions. A service or an administrator can. Joining again changes nothing but the
    account. Raises `NotFound`, `Denied`, `Conflict`, `Invalid`.
    """
    async with (
        refusals(env, caller, Action.JOINED, f"session:{id}"),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        own = caller.session is not None and caller.session.id == id
        if account or not own:
            require(caller, Permission.SESSION_JOIN)
        _check("sid", sid)
        _check("account", account)
        session = await tx.session(id)
        if (
            session is None
            or state_of(session, now, await tx.covered_by(session)) is not State.LIVE
        ):
            raise NotFound("no such session")
        found = await _client(tx, client)
        after = joined(session, Participant(client=found.id, sid=sid, account=account))
        if len(after.participants) > MOST:
            raise Conflict(f"{MOST} applications are in the session")
        await tx.join(id, after.participants[-1])
        detail = {"client": found.id, "name": found.name}
        await tx.record(event_by(caller, now, Action.JOINED, target=id, detail=detail))
    return after


async def _client(tx: Transaction, name_or_id: str) -> Client:
    found = await tx.client_named(name_or_id) or await tx.client(ClientId(name_or_id))
    if found is None:
        raise NotFound("no such application")
    return found


def _check(field: str, text: str) -> None:
    if len(text) > LONGEST or not text.isprintable():
        raise Invalid(field, f"must have at most {LONGEST} printable characters")
