"""Native routes about applications: what there are, what they are owed, and joining sessions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from lastcall.authority.client_changes import add_client, change_client, remove_client
from lastcall.authority.clients import list_account, list_clients, one_client
from lastcall.authority.deliveries import list_deliveries, redeliver, try_client
from lastcall.authority.introspect import introspect
from lastcall.authority.joining import join
from lastcall.authority.showing_parts import shown_delivery
from lastcall.dialects.native import app_shapes as shapes
from lastcall.dialects.native.callers import known
from lastcall.dialects.native.reading import json_as, query_as
from lastcall.dialects.native.services import service_of
from lastcall.dialects.native.settings import Settings
from lastcall.domain.access import Caller, service
from lastcall.domain.audit import Action
from lastcall.domain.client import Ability, AccountRule, Client, Naming
from lastcall.domain.delivery import DeliveryId, DeliveryState
from lastcall.domain.errors import Invalid, NotFound
from lastcall.domain.session import Session
from lastcall.domain.trial import explained
from lastcall.domain.types import SECOND, ClientId, Duration, Instant, SubjectId, TenantId
from lastcall.wire import Call, Reply, iso_time, json_reply

KINDS: Mapping[str, Any] = {"can": Ability, "naming": Naming, "account": AccountRule}
UNITS = {"timeout_ms": ("timeout", 1), "outlives_seconds": ("outlives", SECOND)}


async def apps(call: Call[Settings]) -> Reply:
    found = await list_clients(call.env, (await known(call)).caller)
    return json_reply(shapes.AppList(apps=tuple(map(_view, found))))


async def add_app(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.CLIENT_ADDED)).caller
    asked = json_as(call, shapes.NewApp)
    blank = Client(
        id=ClientId(""), tenant=caller.tenant, name="", created=Instant(0), changed=Instant(0)
    )
    wanted = replace(blank, **_fields(asked))
    return json_reply(_view(await add_client(call.env, caller, wanted, asked.secrets)), 201)


async def one_app(call: Call[Settings]) -> Reply:
    caller = (await known(call)).caller
    return json_reply(_view(await one_client(call.env, caller, call.segments["id"])))


async def change_app(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.CLIENT_CHANGED)).caller
    asked = json_as(call, shapes.AppChange)
    fields = _fields(asked)
    before = await one_client(call.env, caller, call.segments["id"])
    after = await change_client(
        call.env, caller, before.id, lambda client: replace(client, **fields), asked.secrets
    )
    return json_reply(_view(after))


async def remove_app(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.CLIENT_REMOVED)).caller
    found = await one_client(call.env, caller, call.segments["id"])
    await remove_client(call.env, caller, found.id)
    return Reply(status=204)


async def test_app(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.CLIENT_TESTED)).caller
    client, trial = await try_client(call.env, caller, call.segments["id"])
    return json_reply(
        shapes.Trial(
            app=client.name,
            outcome=trial.outcome.value,
            took_ms=trial.took,
            means=explained(trial),
            status=trial.status or None,
            error=trial.error or None,
        )
    )


async def app_deliveries(call: Call[Settings]) -> Reply:
    caller = (await known(call)).caller
    asked = query_as(call, shapes.DeliveryQuery)
    states = frozenset({DeliveryState(asked.state)} if asked.state else ())
    client, rows = await list_deliveries(
        call.env,
        caller,
        call.segments["id"],
        states=states,
        after=asked.after,
        limit=asked.limit,
    )
    names = {client.id: client.name}
    more = {"next": rows[-1].id} if len(rows) == asked.limit else {}
    return json_reply({"deliveries": [shown_delivery(row, names) for row in rows], **more})


async def redeliver_one(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.REDELIVERED)).caller
    after = await redeliver(call.env, caller, DeliveryId(call.segments["id"]))
    return json_reply(shown_delivery(after, {}))


async def name_account(call: Call[Settings]) -> Reply:
    caller = (await known(call, changes=Action.ACCOUNT_LISTED)).caller
    asked = json_as(call, shapes.AccountName)
    found = await one_client(call.env, caller, call.segments["id"])
    subject = SubjectId(call.segments["subject"])
    await list_account(call.env, caller, found.id, subject, asked.account)
    return Reply(status=204)


async def join_session(call: Call[Settings]) -> Reply:
    """By the session's own token, or by a service that names the session by its token."""
    if call.header("authorization") is not None and await _by_service(call):
        asked = json_as(call, shapes.Join)
        caller, session, app = await _named_by_service(call, asked)
    else:
        known_by = await known(call, changes=Action.JOINED)
        asked = json_as(call, shapes.Join)
        if asked.token is not None:
            raise Invalid("token", "is for services; this session is known by its own")
        caller, session, app = known_by.caller, known_by.session, asked.app or ""
    if not app:
        raise Invalid("app", "is missing")
    after = await join(call.env, caller, session.id, app, asked.sid, asked.account)
    joined = after.participants[-1]
    return json_reply(
        shapes.Joined(
            session=after.id,
            app=joined.client,
            participants=len(after.participants),
            sid=asked.sid or None,
            account=joined.account or None,
        )
    )


async def _by_service(call: Call[Settings]) -> bool:
    """Whether the credentials are a service's: Basic ones are, and a body that names a token."""
    kind = (call.header("authorization") or "").partition(" ")[0].lower()
    if kind == "basic":
        return True
    try:
        body = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(body, dict) and body.get("token") is not None


async def _named_by_service(
    call: Call[Settings], asked: shapes.Join
) -> tuple[Caller, Session, str]:
    name, by = service_of(call)
    if not asked.token:
        raise Invalid("token", "is missing")
    tenant = TenantId(by.tenant) if by.tenant else None
    found = await introspect(call.env, tenant, asked.token, call.origin)
    if found is None or found.session is None:
        raise NotFound("no such session")
    return service(found.tenant, call.origin, name), found.session, asked.app or name


def _fields(asked: shapes.NewApp | shapes.AppChange) -> dict[str, Any]:
    """What is said, as fields of a client."""
    fields: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(asked).items():
        if value is None or name == "secrets":
            continue
        field, unit = UNITS.get(name, (name, 0))
        kind = KINDS.get(name)
        fields[field] = Duration(value * unit) if unit else kind(value) if kind else value
    return fields


def _view(client: Client) -> shapes.App:
    return shapes.App(
        id=client.id,
        name=client.name,
        owner=client.owner,
        connector=client.connector,
        settings=client.settings,
        secrets=tuple(sorted(client.secrets)),
        can=client.can,
        naming=client.naming,
        account=client.account,
        timeout_ms=client.timeout,
        concurrency=client.concurrency,
        outlives_seconds=client.outlives // SECOND,
        always=client.always,
        private=client.private,
        enabled=client.enabled,
        declared=client.declared,
        created=iso_time(client.created),
        changed=iso_time(client.changed),
    )
