"""Reach: whose sessions a caller may end."""

from typing import assert_never

from lastcall.authority.factors import require_fresh_factor
from lastcall.domain.access import Caller, Permission, Rank, require, require_over
from lastcall.domain.errors import Denied, NotFound
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Scope,
    covers,
)
from lastcall.domain.session import Session
from lastcall.domain.subject import role_of
from lastcall.domain.types import SessionId, SubjectId
from lastcall.ports import Env, Transaction


def within_reach(caller: Caller, scope: Scope) -> Scope:
    """Whoever impersonates ends nothing but what was begun so, whatever the subject could end."""
    session = caller.session
    own = isinstance(scope, OfSubject) and scope.subject == caller.subject
    if session is None or session.impersonator is None or not own:
        return scope
    if covers(scope, session):
        return OneSession(session=session.id)
    return OfSessions(sessions=frozenset())


def _is_own(caller: Caller, session: Session) -> bool:
    """One's own, or one that one sits in; in an impersonated session that very one."""
    if caller.session is not None and caller.session.impersonator is not None:
        return session.id == caller.session.id
    return caller.subject in (session.subject, session.impersonator)


async def authorise(
    tx: Transaction, env: Env, caller: Caller, scope: Scope, needs: Permission | None
) -> bool:
    """Whether the scope is the caller's own; raises unless it is or the caller may."""
    match scope:
        case OneSession(session=one):
            session = await tx.session(one)
            if session is not None and _is_own(caller, session):
                return True
            owner = session.subject if session else None
            permission = needs or Permission.SESSION_END_OTHERS
        case OfSessions(sessions=some):
            return await _authorise_each(tx, env, caller, some, needs)
        case OfSubject(subject=subject):
            if subject == caller.subject:
                return True
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
    others = {
        session.subject if session else None
        for session in found
        if session is None or not _is_own(caller, session)
    }
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
