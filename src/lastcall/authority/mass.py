"""Mass logout: end exactly what was previewed, once, however often it is asked."""

import hashlib
from dataclasses import dataclass

from lastcall.authority.factors import require_fresh_factor
from lastcall.authority.plans import add_plan
from lastcall.authority.previewed import UNMOVED, Drift, drift_of, end_previewed
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import standing
from lastcall.domain.access import Caller, Permission, require
from lastcall.domain.audit import Action
from lastcall.domain.errors import Conflict, Invalid, NotFound
from lastcall.domain.logout import Receipt
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.types import Instant, PlanId, PreviewId, ReceiptId
from lastcall.ports import Env, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`key` makes a repeat of the same order harmless. `start` None is now."""

    preview: PreviewId
    reason: str
    key: str = ""
    start: Instant | None = None

    @property
    def digest(self) -> str:
        return _digest(self.preview, self.reason, str(self.start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A receipt when it was done, else the plan that waits."""

    receipt: Receipt | None = None
    plan: Plan | None = None
    drift: Drift = UNMOVED


async def mass_logout(env: Env, caller: Caller, order: Order) -> Ordered:
    """End the previewed set. Needs the permission, a reason, and a fresh second factor.

    Raises `NotFound` for a preview that is unknown, another's or over, and `Conflict` when the
    idempotency key was used for another order.
    """
    async with refusals(env, caller, Action.LOGOUT, f"preview:{order.preview}"):
        done = await _carry_out(env, caller, order, None)
        if isinstance(done, Preview):
            done = await _carry_out(env, caller, order, await drift_of(env, done))
        assert isinstance(done, Ordered)
    return done


async def _carry_out(
    env: Env, caller: Caller, order: Order, drift: Drift | None
) -> Ordered | Preview:
    """All of it in one transaction; the preview where it is to end now and the drift is not known.

    The drift takes many looks, so it is counted in between, and everything is judged again.
    """
    async with env.store.transaction(caller.tenant) as tx:
        now = env.clock.now()
        caller = await standing(tx, caller, now)
        require(caller, Permission.TENANT_LOGOUT)
        if not order.reason.strip():
            raise Invalid("reason", "is required")
        earlier = await _earlier(tx, caller, order)
        if earlier is not None:
            return earlier
        await require_fresh_factor(tx, env, caller, always=True)
        preview = await tx.preview(order.preview)
        mine = preview is not None and (preview.by or "") == caller.subject
        if preview is None or not mine or now >= preview.expires:
            raise NotFound("no such preview")
        waits = env.policy(caller.tenant).second_person_for_mass
        if waits or (order.start is not None and order.start > now):
            plan = await add_plan(tx, env, caller, preview, order.reason, order.start, waits=waits)
            ordered = Ordered(plan=plan)
        elif drift is None:
            return preview
        else:
            receipt = await end_previewed(tx, env, caller, preview, order.reason, drift)
            ordered = Ordered(receipt=receipt, drift=drift)
        await _remember(tx, env, caller, order, ordered)
    return ordered


async def _earlier(tx: Transaction, caller: Caller, order: Order) -> Ordered | None:
    found = await tx.remembered(_key(caller, order)) if order.key else None
    if found is None:
        return None
    if found.body != order.digest:
        raise Conflict("the idempotency key was used for another order")
    receipt = await tx.receipt(ReceiptId(found.result))
    return Ordered(receipt=receipt, plan=await tx.plan(PlanId(found.result)))


async def _remember(
    tx: Transaction, env: Env, caller: Caller, order: Order, ordered: Ordered
) -> None:
    if order.key:
        result = ordered.receipt.revocation.id if ordered.receipt else ""
        result = result or (ordered.plan.id if ordered.plan else "")
        key, at = _key(caller, order), env.clock.now()
        await tx.remember(Remembered(key=key, body=order.digest, result=result, at=at))


def _key(caller: Caller, order: Order) -> str:
    return _digest(caller.subject, order.key)


def _digest(*parts: str) -> str:
    text = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
