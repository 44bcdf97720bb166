"""Logout: end every session in a scope, now and for good."""

from typing import assert_never

from lastcall.authority.ending import Logout, end_scope, words
from lastcall.authority.factors import require_fresh_factor
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import (
    Caller,
    Permission,
    Rank,
    authority_of,
    require,
    require_over,
)
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Denied, NotFound
from lastcall.domain.logout import OfDialect, OfSessions, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.subject import role_of
from lastcall.domain.types import EndReason, SessionId, SubjectId
from lastcall.ports import Env, Transaction


async def logout(
    env: Env, caller: Caller, scope: Scope, reason: str = "", needs: Permission | None = None
) -> Logout:
    """End every session in scope; the answer means it is durable and every check refuses them.

    One's own sessions need nothing but being logged in. Another's need a rank at least theirs and
    the permission `needs` (by default the strictest for the kind of scope). Raises `Denied`,
    `NotFound`, `NotAuthenticated`, `SecondFactorRequired`.
    """
    target = words(scope)
    async with (
        refusals(env, caller, Action.LOGOUT, target),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        own = await _authorise(tx, env, caller, scope, needs)
        why = EndReason.LOGOUT if own else EndReason.ENDED_BY_OTHER
        done = await end_scope(tx, env, caller, scope, why, reason)
        detail = {
            "receipt": done.receipt.revocation.id,
            "sessions": str(len(done.ended)),
            "reason": reason,
            **authority_of(caller),
        }
        await tx.record(event_by(caller, now, Action.LOGOUT, target=target, detail=detail))
    return done


async def _authorise(
    tx: Transaction, env: Env, caller: Caller, scope: Scope, needs: Permission | None
) -> bool:
    """Whether the scope is the caller's own; raises unless it is or the caller may."""
    match scope:
        case OneSession(session=one):
            session = await tx.session(one)
            owner = session.subject if session else None
            permission = needs or Permission.SESSION_END_OTHERS
        case OfSessions(sessions=some):
            return await _authorise_each(tx, env, caller, some, needs)
        case OfSubject(subject=subject):
            owner = subject
            permission = needs or Permission.SUBJECT_LOGOUT
        case OfDialect():
            require(caller, needs or Permission.DIALECT_LOGOUT)
            await require_fresh_factor(tx, env, caller)
            return False
        case OfTenant():
            require(caller, needs or Permission.TENANT_LOGOUT)
            await require_fresh_factor(tx, env, caller)
            return False
        case _:
            assert_never(scope)
    if owner is not None and owner == caller.subject:
        return True
    require(caller, permission)
    await _require_rank(tx, caller, permission, owner)
    await require_fresh_factor(tx, env, caller)
    return False


async def _authorise_each(
    tx: Transaction,
    env: Env,
    caller: Caller,
    some: frozenset[SessionId],
    needs: Permission | None,
) -> bool:
    """As for one session: a set with a single one that may not be ended is refused whole."""
    found = [await tx.session(one) for one in some]
    others = {session.subject if session else None for session in found} - {caller.subject}
    if not others:
        return True
    permission = needs or Permission.SESSION_END_OTHERS
    require(caller, permission)
    for owner in others:
        await _require_rank(tx, caller, permission, owner)
    await require_fresh_factor(tx, env, caller)
    return False


async def _require_rank(
    tx: Transaction, caller: Caller, permission: Permission, owner: SubjectId | None
) -> None:
    """Unknown, foreign and out-ranking targets answer alike to whoever could be out-ranked."""
    target = await tx.subject(owner) if owner else None
    if target is None:
        if caller.role.rank < max(Rank):
            raise Denied("no such target")
        raise NotFound("no such target")
    require_over(caller, permission, role_of(target).rank)
