"""Plans: mass logouts that wait for a second person's word or for their time."""

from dataclasses import replace

from lastcall.authority.factors import require_fresh_factor
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import Conflict, NotFound
from lastcall.domain.plan import OPEN_PLANS, Plan, PlanState, Preview
from lastcall.domain.token import ID_BYTES, id_text
from lastcall.domain.types import Instant, PlanId
from lastcall.ports import Env, Transaction


async def add_plan(
    tx: Transaction,
    env: Env,
    caller: Caller,
    preview: Preview,
    reason: str,
    start: Instant | None,
    *,
    waits: bool,
) -> Plan:
    """Write it down; `waits` for somebody else's word before its time can come."""
    now = env.clock.now()
    plan = Plan(
        id=PlanId("m_" + id_text(env.entropy.bytes(ID_BYTES))),
        tenant=caller.tenant,
        state=PlanState.WAITING if waits else PlanState.SCHEDULED,
        preview=preview,
        by=caller.subject or None,
        by_name=caller.username,
        at=now,
        reason=reason,
        start=start or now,
    )
    await tx.put_plan(plan)
    detail = {"start": str(plan.start), "reason": reason}
    await tx.record(event_by(caller, now, Action.PLANNED, target=plan.id, detail=detail))
    return plan


async def approve(env: Env, caller: Caller, id: PlanId) -> Plan:
    """A second person's word: the same permission, a fresh second factor, and not who asked."""
    async with (
        refusals(env, caller, Action.APPROVED, id),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller, plan = await _open_plan(tx, caller, id, now)
        await require_fresh_factor(tx, env, caller, always=True)
        if plan.state is not PlanState.WAITING or (plan.by or "") == caller.subject:
            raise Conflict("needs the word of somebody else, once")
        approved = replace(
            plan,
            state=PlanState.SCHEDULED,
            approved_by=caller.subject or None,
            approved_by_name=caller.username,
        )
        await tx.put_plan(approved)
        await tx.record(event_by(caller, now, Action.APPROVED, target=id))
    return approved


async def cancel(env: Env, caller: Caller, id: PlanId) -> Plan:
    """Until it has started; then there is nothing left to cancel, and `Conflict` says so."""
    async with (
        refusals(env, caller, Action.CANCELLED, id),
        env.store.transaction(caller.tenant) as tx,
    ):
        now = env.clock.now()
        caller, plan = await _open_plan(tx, caller, id, now)
        cancelled = replace(plan, state=PlanState.CANCELLED)
        await tx.put_plan(cancelled)
        await tx.record(event_by(caller, now, Action.CANCELLED, target=id))
    return cancelled


async def _open_plan(
    tx: Transaction, caller: Caller, id: PlanId, now: Instant
) -> tuple[Caller, Plan]:
    caller = await standing(tx, caller, now)
    require(caller, Permission.TENANT_LOGOUT)
    plan = await tx.plan(id)
    if plan is None:
        raise NotFound("no such plan")
    if plan.state not in OPEN_PLANS:
        raise Conflict(f"the plan is {plan.state}")
    return caller, plan


async def plans(env: Env, caller: Caller) -> tuple[Plan, ...]:
    """All that are kept, oldest first."""
    async with (
        refusals(env, caller, Action.LIST, "plans"),
        env.store.transaction(caller.tenant) as tx,
    ):
        require(await standing(tx, caller, env.clock.now()), Permission.TENANT_LOGOUT)
        return tuple(await tx.plans())
