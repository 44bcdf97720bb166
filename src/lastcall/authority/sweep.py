"""Sweep: end the rows that already do not count, in bounded slices behind the requests.

Nothing depends on it for refusal: a revocation or a deadline takes effect by itself.
"""

from lastcall.authority.ending import BATCH
from lastcall.domain.access import operator
from lastcall.domain.audit import Action, event_by
from lastcall.domain.origin import Origin
from lastcall.domain.session import End, State, state_of
from lastcall.domain.types import DialectName, EndReason, Instant, ReceiptId, SessionId, TenantId
from lastcall.ports import Env

SWEEPER = Origin(dialect=DialectName("sweep"))
REASONS = {State.IDLE: EndReason.IDLE, State.EXPIRED: EndReason.EXPIRED}


async def sweep(env: Env) -> int:
    """One slice of everything that is due; how many rows changed, 0 when all is done."""
    changed = 0
    for tenant, receipt in await env.store.unswept():
        changed += await _sweep_revocation(env, tenant, receipt)
    due: dict[TenantId, list[SessionId]] = {}
    for tenant, session in await env.store.past_deadline(env.clock.now(), BATCH):
        due.setdefault(tenant, []).append(session)
    for tenant, sessions in due.items():
        changed += await _expire(env, tenant, sessions)
    for tenant, policy in env.policies.items():
        now = env.clock.now()
        async with env.store.transaction(tenant) as tx:
            gone = await tx.prune(Instant(now - policy.retention), now, BATCH)
            if gone:
                event = event_by(
                    operator(tenant, SWEEPER), now, Action.PRUNE, detail={"rows": str(gone)}
                )
                await tx.record(event)
        changed += gone
    return changed


async def _sweep_revocation(env: Env, tenant: TenantId, id: ReceiptId) -> int:
    async with env.store.transaction(tenant) as tx:
        receipt = await tx.receipt(id)
        if receipt is None or receipt.complete:
            return 0
        ended = await tx.end_sessions(receipt.revocation, BATCH)
        await tx.progress(id, len(ended), complete=len(ended) < BATCH)
        detail = {"receipt": id, "sessions": str(len(ended))}
        await tx.record(
            event_by(operator(tenant, SWEEPER), env.clock.now(), Action.SWEEP, detail=detail)
        )
    return len(ended)


async def _expire(env: Env, tenant: TenantId, ids: list[SessionId]) -> int:
    ended = 0
    async with env.store.transaction(tenant) as tx:
        now = env.clock.now()
        for one in ids:
            session = await tx.session(one)
            if session is None:
                continue
            why = REASONS.get(state_of(session, now, await tx.covered_by(session)))
            if why and await tx.end_session(one, End(at=now, why=why)):
                ended += 1
        if ended:
            detail = {"sessions": str(ended)}
            await tx.record(event_by(operator(tenant, SWEEPER), now, Action.EXPIRE, detail=detail))
    return ended
