"""Operations about applications, what they are owed, and what became of a logout."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from lastcall.authority.client_changes import add_client
from lastcall.authority.clients import list_clients
from lastcall.authority.deliveries import list_deliveries, redeliver, try_client
from lastcall.authority.receipts import receipt, signed_receipt
from lastcall.authority.showing import shown_receipt
from lastcall.authority.showing_parts import shown_delivery
from lastcall.control.parameters import Operation, Parameters, caller_for
from lastcall.control.records import Result
from lastcall.domain.client import Ability, AccountRule, Client, Naming
from lastcall.domain.delivery import Delivery, DeliveryId, DeliveryState
from lastcall.domain.errors import Conflict, Invalid
from lastcall.domain.tally import NOT_WELL
from lastcall.domain.trial import explained
from lastcall.domain.types import ClientId, Instant, ReceiptId
from lastcall.ports import Env
from lastcall.wire import iso_time

PAGE = 500


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a new application; times in milliseconds."""

    name: str
    owner: str = ""
    connector: str = ""
    settings: Mapping[str, str] = {}
    can: Ability = Ability.SESSION
    naming: Naming = Naming.SID
    account: AccountRule = AccountRule.USERNAME
    timeout: Annotated[int, msgspec.Meta(ge=0)] = 5_000
    concurrency: int = 8
    outlives: Annotated[int, msgspec.Meta(ge=0)] = 8 * 3_600_000
    always: bool = False
    private: bool = False


async def list_apps(env: Env, given: Parameters) -> Result:
    return {"apps": [_record(one) for one in await list_clients(env, caller_for(env, given))]}


async def add_app(env: Env, given: Parameters) -> Result:
    caller = caller_for(env, given)
    try:
        about = msgspec.convert(given.about, About)
    except msgspec.ValidationError as error:
        raise Invalid("application", f"cannot be like this: {error}") from error
    said: dict[str, Any] = msgspec.structs.asdict(about)
    at = Instant(0)
    wanted = Client(id=ClientId(""), tenant=caller.tenant, created=at, changed=at, **said)
    return {"app": _record(await add_client(env, caller, wanted, given.secrets))}


async def test_app(env: Env, given: Parameters) -> Result:
    client, trial = await try_client(env, caller_for(env, given), given.app)
    return {
        "app": client.name,
        "outcome": str(trial.outcome),
        "status": trial.status or None,
        "took_ms": trial.took,
        "error": trial.error or None,
        "means": explained(trial),
    }


async def deliveries(env: Env, given: Parameters) -> Result:
    states = frozenset({_state(given.state)} if given.state else ())
    client, rows = await list_deliveries(
        env,
        caller_for(env, given),
        given.app,
        states=states,
        after=given.after,
        limit=given.limit,
    )
    more = rows[-1].id if rows and len(rows) == given.limit else None
    return {"deliveries": [_shown(client, row) for row in rows], "next": more}


async def redeliver_some(env: Env, given: Parameters) -> Result:
    """One delivery, or all of an application's that have not ended well."""
    caller = caller_for(env, given)
    if given.delivery:
        done = await redeliver(env, caller, DeliveryId(given.delivery))
        return {"redelivered": [done.id], "busy": []}
    redelivered: list[str] = []
    busy: list[str] = []
    after = ""
    while True:
        states = NOT_WELL - {DeliveryState.CANNOT_BE_TOLD}
        _, rows = await list_deliveries(
            env, caller, given.app, states=states, after=after, limit=PAGE
        )
        for row in rows:
            try:
                redelivered.append((await redeliver(env, caller, row.id)).id)
            except Conflict:
                busy.append(row.id)
        if len(rows) < PAGE:
            return {"redelivered": redelivered, "busy": busy}
        after = rows[-1].id


async def show_receipt(env: Env, given: Parameters) -> Result:
    caller = caller_for(env, given)
    view = await receipt(env, caller, ReceiptId(given.receipt), limit=given.limit)
    return shown_receipt(view)


async def sign_receipt(env: Env, given: Parameters) -> Result:
    """The signed document, and the keys it can be checked with."""
    caller = caller_for(env, given)
    signed = await signed_receipt(env, caller, ReceiptId(given.receipt), shown_receipt)
    return {"signed": signed, "jwks": env.signer.jwks()}


OF_APPLICATIONS: Mapping[str, Operation] = {
    "apps.list": list_apps,
    "apps.add": add_app,
    "apps.test": test_app,
    "apps.deliveries": deliveries,
    "apps.redeliver": redeliver_some,
    "receipts.show": show_receipt,
    "receipts.sign": sign_receipt,
}


def _record(client: Client) -> dict[str, Any]:
    """Of secrets the names alone."""
    return {
        "id": client.id,
        "tenant": client.tenant,
        "name": client.name,
        "owner": client.owner,
        "connector": client.connector,
        "settings": dict(client.settings),
        "secrets": sorted(client.secrets),
        "can": str(client.can),
        "naming": str(client.naming),
        "account": str(client.account),
        "timeout_ms": client.timeout,
        "concurrency": client.concurrency,
        "outlives_ms": client.outlives,
        "always": client.always,
        "private": client.private,
        "enabled": client.enabled,
        "declared": client.declared,
        "created": iso_time(client.created),
        "changed": iso_time(client.changed),
    }


def _shown(client: Client, row: Delivery) -> dict[str, Any]:
    return {"receipt": row.receipt, **shown_delivery(row, {client.id: client.name})}


def _state(text: str) -> DeliveryState:
    try:
        return DeliveryState(text)
    except ValueError as error:
        raise Invalid("state", f"must be one of {', '.join(DeliveryState)}") from error
