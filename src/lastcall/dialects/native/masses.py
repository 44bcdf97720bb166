"""Native routes for mass logouts: previewed, ended as previewed, planned, approved, cancelled."""

from lastcall.authority.mass import Order, mass_logout
from lastcall.authority.naming import named
from lastcall.authority.plans import approve, cancel, plans
from lastcall.authority.preview import preview
from lastcall.dialects.native import app_shapes as shapes
from lastcall.dialects.native.callers import Known, known
from lastcall.dialects.native.reading import json_as
from lastcall.dialects.native.settings import Settings
from lastcall.dialects.native.shapes import Logout
from lastcall.dialects.native.views import receipt_fields
from lastcall.domain import plan as domain
from lastcall.domain.audit import Action
from lastcall.domain.errors import Invalid, NotFound
from lastcall.domain.factor import Method
from lastcall.domain.logout import Receipt
from lastcall.domain.selection import Selection
from lastcall.domain.types import (
    SECOND,
    DialectName,
    Duration,
    Instant,
    PlanId,
    PreviewId,
    instant_of,
)
from lastcall.wire import Call, Reply, iso_time, json_reply

LONGEST_KEY = 200


async def preview_logout(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.PREVIEW)).caller
    asked = json_as(call, shapes.Criteria, optional=True)
    names = await named(call.env, caller, asked.users, asked.apps)
    selection = Selection(
        clients=names.clients,
        subjects=names.subjects,
        roles=frozenset(asked.roles),
        groups=frozenset(asked.groups),
        networks=asked.networks,
        countries=frozenset(country.upper() for country in asked.countries),
        device=asked.device,
        dialects=frozenset(map(DialectName, asked.dialects)),
        older_than=_duration(asked.older_than_seconds),
        idle_for=_duration(asked.idle_for_seconds),
        factor=Method(asked.factor) if asked.factor else None,
        without_factor=Method(asked.without_factor) if asked.without_factor else None,
    )
    made = await preview(call.env, caller, selection)
    return json_reply(
        shapes.Preview(
            id=made.id,
            at=iso_time(made.at),
            expires=iso_time(made.expires),
            users=made.counts["users"],
            sessions=made.counts["sessions"],
            applications=made.counts["applications"],
            cannot_be_told=made.muted,
            self_included=made.self_included,
            last_admin=made.last_admin,
            unknown_users=names.unknown,
        )
    )


async def end_previewed(
    call: Call[Settings], known_by: Known, asked: Logout, preview_id: str
) -> tuple[Reply, Receipt | None]:
    """The reply, and the receipt if it was done and does not wait."""
    key = call.header("idempotency-key") or ""
    if len(key) > LONGEST_KEY:
        raise Invalid("Idempotency-Key", f"is longer than {LONGEST_KEY} characters")
    order = Order(
        preview=PreviewId(preview_id),
        reason=asked.reason,
        key=key,
        start=None if asked.start is None else _instant(asked.start),
    )
    done = await mass_logout(call.env, known_by.caller, order)
    if done.plan is not None:
        return json_reply(_view(done.plan), 202), None
    if done.receipt is None:
        raise NotFound("what the key stood for is no longer kept")
    drift = shapes.Drift(ended_since=done.drift.ended_since, new_since=done.drift.new_since)
    view = shapes.PreviewedReceipt(**receipt_fields(done.receipt), drift=drift)
    return json_reply(view), done.receipt


async def list_plans(call: Call[Settings]) -> Reply:
    found = await plans(call.env, (await known(call)).caller)
    return json_reply(shapes.PlanList(plans=tuple(map(_view, found))))


async def one_plan(call: Call[Settings]) -> Reply:
    found = await plans(call.env, (await known(call)).caller)
    plan = next((one for one in found if one.id == call.segments["id"]), None)
    if plan is None:
        raise NotFound("no such plan")
    return json_reply(_view(plan))


async def approve_plan(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.APPROVED)).caller
    return json_reply(_view(await approve(call.env, caller, PlanId(call.segments["id"]))))


async def cancel_plan(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.CANCELLED)).caller
    return json_reply(_view(await cancel(call.env, caller, PlanId(call.segments["id"]))))


def _view(plan: domain.Plan) -> shapes.Plan:
    return shapes.Plan(
        id=plan.id,
        state=plan.state.value,
        preview=plan.preview.id,
        users=plan.preview.counts.get("users", 0),
        sessions=len(plan.preview.sessions),
        reason=plan.reason,
        at=iso_time(plan.at),
        start=iso_time(plan.start),
        by_name=plan.by_name,
        approved_by_name=plan.approved_by_name or None,
        receipt=plan.receipt,
    )


def _duration(seconds: int | None) -> Duration | None:
    return None if seconds is None else Duration(seconds * SECOND)


def _instant(text: str) -> Instant:
    """RFC 3339."""
    try:
        return instant_of(text)
    except ValueError:
        raise Invalid("start", "is not a time as in RFC 3339") from None
