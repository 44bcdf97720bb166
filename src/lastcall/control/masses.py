"""Operations about mass logouts: previewed, ended as previewed, planned."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from lastcall.authority.ending import Logout
from lastcall.authority.mass import Order, mass_logout
from lastcall.authority.naming import named
from lastcall.authority.plans import approve, cancel, plans
from lastcall.authority.preview import preview
from lastcall.control.parameters import Operation, Parameters, caller_for
from lastcall.control.records import Result, receipt_record
from lastcall.domain.errors import Invalid
from lastcall.domain.factor import Method
from lastcall.domain.plan import Plan, Preview
from lastcall.domain.selection import Selection
from lastcall.domain.types import DialectName, Duration, Instant, PlanId, PreviewId, iso_time
from lastcall.ports import Env

Span = Annotated[int, msgspec.Meta(ge=0)]


class Criteria(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that are given must hold; a list holds for any of its members. Times in milliseconds."""

    users: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    device: str = ""
    dialects: tuple[str, ...] = ()
    older_than: Span | None = None
    idle_for: Span | None = None
    factor: Method | None = None
    without_factor: Method | None = None


async def preview_logout(env: Env, given: Parameters) -> Result:
    caller = caller_for(env, given)
    try:
        asked = msgspec.convert(given.about, Criteria)
    except msgspec.ValidationError as error:
        raise Invalid("criteria", f"cannot be like this: {error}") from error
    names = await named(env, caller, asked.users, asked.apps)
    selection = Selection(
        clients=names.clients,
        subjects=names.subjects,
        roles=frozenset(asked.roles),
        groups=frozenset(asked.groups),
        networks=asked.networks,
        countries=frozenset(country.upper() for country in asked.countries),
        device=asked.device,
        dialects=frozenset(map(DialectName, asked.dialects)),
        older_than=_span(asked.older_than),
        idle_for=_span(asked.idle_for),
        factor=asked.factor,
        without_factor=asked.without_factor,
    )
    return {**_preview(await preview(env, caller, selection)), "unknown_users": names.unknown}


async def end_previewed(env: Env, given: Parameters) -> Result:
    """What was done, or the plan that waits; the other one is null."""
    if given.start is not None and given.start <= env.clock.now():
        raise Invalid("time", "to begin at is over already")
    order = Order(
        preview=PreviewId(given.preview),
        reason=given.reason,
        start=None if given.start is None else Instant(given.start),
    )
    done = await mass_logout(env, caller_for(env, given), order)
    receipt = Logout(receipt=done.receipt, ended=()) if done.receipt else None
    return {
        "receipt": receipt_record(receipt) if receipt else None,
        "drift": {
            "ended_since": done.drift.ended_since,
            "new_since": done.drift.new_since,
        },
        "plan": _plan(done.plan) if done.plan else None,
    }


async def list_plans(env: Env, given: Parameters) -> Result:
    return {"plans": [_plan(one) for one in await plans(env, caller_for(env, given))]}


async def approve_plan(env: Env, given: Parameters) -> Result:
    return {"plan": _plan(await approve(env, caller_for(env, given), PlanId(given.plan)))}


async def cancel_plan(env: Env, given: Parameters) -> Result:
    return {"plan": _plan(await cancel(env, caller_for(env, given), PlanId(given.plan)))}


OF_MASSES: Mapping[str, Operation] = {
    "logout.preview": preview_logout,
    "logout.previewed": end_previewed,
    "plans.list": list_plans,
    "plans.approve": approve_plan,
    "plans.cancel": cancel_plan,
}


def _preview(made: Preview) -> Result:
    return {
        "preview": made.id,
        "tenant": made.tenant,
        "at": iso_time(made.at),
        "expires": iso_time(made.expires),
        "users": made.counts["users"],
        "sessions": made.counts["sessions"],
        "applications": made.counts["applications"],
        "cannot_be_told": list(made.muted),
        "self_included": made.self_included,
        "last_admin": made.last_admin,
    }


def _plan(plan: Plan) -> Result:
    return {
        "plan": plan.id,
        "tenant": plan.tenant,
        "state": str(plan.state),
        "start": iso_time(plan.start),
        "at": iso_time(plan.at),
        "by": plan.by_name,
        "approved_by": plan.approved_by_name or None,
        "users": plan.preview.counts.get("users", 0),
        "sessions": len(plan.preview.sessions),
        "reason": plan.reason,
        "receipt": plan.receipt,
    }


def _span(milliseconds: int | None) -> Duration | None:
    return None if milliseconds is None else Duration(milliseconds)
