"""Joining: an application says that a session goes on in it, and under which names."""

from lastcall.authority.clients import named_client
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.client import Client
from lastcall.domain.errors import Conflict, Invalid, NotFound
from lastcall.domain.session import Participant, Session, State, joined, state_of
from lastcall.domain.types import DialectName, SessionId
from lastcall.outward import opened_sid, sealed_sid
from lastcall.ports import Env, Transaction

MOST = 100
"""Applications' sessions in one session."""

LONGEST = 512
"""Characters in an account name."""

LONGEST_SID = 8_192
"""Characters in an application's session id, which at some is a token of its own."""


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
        _check("sid", sid, LONGEST_SID)
        _check("account", account, LONGEST)
        session = await tx.session(id)
        if (
            session is None
            or state_of(session, now, await tx.covered_by(session)) is not State.LIVE
        ):
            raise NotFound("no such session")
        found = await named_client(tx, client)
        kept = _kept_sid(env, session, found, sid)
        after = joined(session, Participant(client=found.id, sid=kept, account=account))
        if len(after.participants) > MOST:
            raise Conflict(f"{MOST} applications are in the session")
        await tx.join(id, after.participants[-1])
        detail = {"client": found.id, "name": found.name}
        await tx.record(event_by(caller, now, Action.JOINED, target=id, detail=detail))
    return after


async def joined_by_rule(
    tx: Transaction, env: Env, dialect: DialectName, id: SessionId
) -> tuple[Participant, ...]:
    """What sessions of a wire join by themselves, under the session's own id."""
    found = [await tx.client_named(name) for name in env.joins.get(dialect, ())]
    return tuple(
        Participant(client=one.id, sid=sealed_sid(env.vault, one.id, id), account="")
        for one in found
        if one
    )


def _kept_sid(env: Env, session: Session, client: Client, sid: str) -> str:
    """Sealed, and the same as before when the application joins again under the same one."""
    for other in session.participants:
        if other.client == client.id and opened_sid(env.vault, client.id, other.sid) == sid:
            return other.sid
    return sealed_sid(env.vault, client.id, sid)


def _check(field: str, text: str, longest: int) -> None:
    if len(text) > longest or not text.isprintable():
        raise Invalid(field, f"must have at most {longest} printable characters")
