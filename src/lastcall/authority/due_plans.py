"""Plans whose time has come: carried out if those who wanted them still may, refused if not."""

from dataclasses import replace

from lastcall.authority.previewed import Drift, drift_of, end_previewed
from lastcall.domain.access import Caller, Permission, operator
from lastcall.domain.audit import Action, Outcome, event_by
from lastcall.domain.errors import Denied
from lastcall.domain.origin import Origin
from lastcall.domain.plan import Plan, PlanState
from lastcall.domain.subject import role_of
from lastcall.domain.types import DialectName, Instant, SubjectId
from lastcall.ports import Env, Transaction

ORIGIN = Origin(dialect=DialectName("plan"))


async def run_plans(env: Env) -> int:
    """Start every plan whose time has come, in the name of who asked; how many began."""
    began = 0
    for tenant in env.policies:
        async with env.store.transaction(tenant) as tx:
            now = env.clock.now()
            due = [plan for plan in await tx.plans() if _due(plan, now)]
        for plan in due:
            drift = await drift_of(env, plan.preview)
            async with env.store.transaction(tenant) as tx:
                began += await _start(tx, env, plan, drift)
    return began


def _due(plan: Plan | None, now: Instant) -> bool:
    return plan is not None and plan.state is PlanState.SCHEDULED and plan.start <= now


async def _start(tx: Transaction, env: Env, plan: Plan, drift: Drift) -> bool:
    """Unless it was cancelled, or begun elsewhere, while the drift was counted."""
    now = env.clock.now()
    if not _due(await tx.plan(plan.id), now):
        return False
    asker = _asker(plan)
    why = await _in_the_way(tx, plan, now)
    if why:
        await tx.put_plan(replace(plan, state=PlanState.REFUSED))
        event = event_by(
            asker,
            now,
            Action.LOGOUT,
            Outcome.REFUSED,
            target=plan.id,
            code=Denied.code,
            detail={"detail": why},
        )
        await tx.record(event)
        return False
    receipt = await end_previewed(tx, env, asker, plan.preview, plan.reason, drift)
    await tx.put_plan(replace(plan, state=PlanState.DONE, receipt=receipt.revocation.id))
    return True


def _asker(plan: Plan) -> Caller:
    """Who asked, with the standing of the house: nobody is there to prove anything."""
    house = operator(plan.tenant, ORIGIN)
    return replace(house, subject=plan.by or house.subject, username=plan.by_name)


async def _in_the_way(tx: Transaction, plan: Plan, now: Instant) -> str:
    """Whose word does not count any more, and why; empty when all do.

    The operator of the machine has no account, and needs none.
    """
    asked = plan.by and await _lost(tx, plan.by, plan.at)
    approved = plan.approved_by and await _lost(tx, plan.approved_by, now)
    if asked:
        return f"who asked: {asked}"
    return f"who approved: {approved}" if approved else ""


async def _lost(tx: Transaction, who: SubjectId, since: Instant) -> str:
    """`since`: an account of that name made later is another one."""
    subject = await tx.subject(who)
    if subject is None or subject.created > since:
        return "the account is gone"
    if not subject.enabled:
        return "the account is disabled"
    if Permission.TENANT_LOGOUT not in role_of(subject).permissions:
        return "may not log everybody out any more"
    return ""
