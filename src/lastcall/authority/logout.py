"""Logout: end every session in a scope, now and for good."""

from lastcall.authority.ending import Logout, end_scope, words
from lastcall.authority.reach import authorise, within_reach
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, authority_of
from lastcall.domain.audit import Action, event_by
from lastcall.domain.logout import Scope
from lastcall.domain.types import EndReason
from lastcall.ports import Env


async def logout(
    env: Env, caller: Caller, scope: Scope, reason: str = "", needs: Permission | None = None
) -> Logout:
    """End every session in scope; the answer means it is durable and every check refuses them.

    In an impersonated session all that is the subject's is that session alone.

    One's own sessions need nothing but being logged in. Another's need a rank at least theirs and
    the permission `needs` (by default the strictest for the kind of scope). Raises `Denied`,
    `NotFound`, `NotAuthenticated`, `SecondFactorRequired`.
    """
    scope = within_reach(caller, scope)
    target = words(scope)
    async with (
        refusals(env, caller, Action.LOGOUT, target),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        own = await authorise(tx, env, caller, scope, needs)
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
