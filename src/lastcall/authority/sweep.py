"""Sweep: end the rows that already do not count, in bounded slices behind the requests.

Nothing depends on it for refusal: a revocation or a deadline takes effect by itself.
"""

from lastcall.authority.ending import end_batch, end_by_rule
from lastcall.domain.access import operator
from lastcall.domain.audit import Action, event_by
from lastcall.domain.origin import Origin
from lastcall.domain.session import State, state_of
from lastcall.domain.types import DialectName, EndReason, Instant, ReceiptId, SessionId, TenantId
from lastcall.ports import Env

SWEEPER = Origin(dialect=DialectName("sweep"))
SLICE = 2_000
"""Sessions past their deadline looked at in one turn."""

REASONS = {State.IDLE: EndReason.IDLE, State.EXPIRED: EndReason.EXPIRED}


async def sweep(env: Env) -> int:
    """One slice of everything that is due; how much was done, 0 when nothing is left."""
    return await end_covered(env) + await tidy(env)


async def end_covered(env: Env) -> int:
    """One slice of each revocation whose rows are not all ended; 0 when all of them are."""
    changed = 0
    for tenant, receipt in await env.store.unswept():
        changed += await sweep_revocation(env, tenant, receipt)
    return changed


async def tidy(env: Env) -> int:
    """End some of what is past its deadline and remove some of what is done with."""
    changed = 0
    due: dict[TenantId, list[SessionId]] = {}
    for tenant, session in await env.store.past_deadline(env.clock.now(), SLICE):
        due.setdefault(tenant, []).append(session)
    for tenant, sessions in due.items():
        changed += await _expire(env, tenant, sessions)
    for tenant, policy in env.policies.items():
        now = env.clock.now()
        async with env.store.transaction(tenant) as tx:
            gone = await tx.prune(Instant(now - policy.retention), now, policy.batch)
            if gone:
                event = event_by(
                    operator(tenant, SWEEPER), now, Action.PRUNE, detail={"rows": str(gone)}
                )
                await tx.record(event)
        changed += gone
    return changed


async def sweep_revocation(env: Env, tenant: TenantId, id: ReceiptId) -> int:
    """End one batch of what a revocation covers; 0 when nothing of it is left to do."""
    async with env.store.transaction(tenant) as tx:
        receipt = await tx.receipt(id)
        if receipt is None or receipt.complete:
            return 0
        done = await end_batch(tx, env, receipt)
        ended, complete = len(done.ended), done.receipt.complete
        if ended or complete:
            detail = {"receipt": id, "sessions": str(ended)}
            by = operator(tenant, SWEEPER)
            await tx.record(event_by(by, env.clock.now(), Action.SWEEP, detail=detail))
    return ended if complete else max(ended, 1)


async def _expire(env: Env, tenant: TenantId, ids: list[SessionId]) -> int:
    ended = 0
    async with env.store.transaction(tenant) as tx:
        now = env.clock.now()
        due: dict[EndReason, list[SessionId]] = {}
        for one in ids:
            session = await tx.session(one)
            state = state_of(session, now, await tx.covered_by(session)) if session else State.ENDED
            why = REASONS.get(state)
            if why:
                due.setdefault(why, []).append(one)
        for why, sessions in due.items():
            done = await end_by_rule(tx, env, SWEEPER, sessions, why)
            ended += len(done.ended)
            detail = {"receipt": done.receipt.revocation.id, "sessions": str(len(done.ended))}
            by = operator(tenant, SWEEPER)
            await tx.record(event_by(by, now, Action.EXPIRE, code=why, detail=detail))
    return ended
