"""Declared applications: what the configuration describes, brought into the store at start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from lastcall.authority.client_changes import add_client, change_client
from lastcall.authority.clients import list_clients
from lastcall.domain.access import operator
from lastcall.domain.client import Client
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, TenantId
from lastcall.ports import Env

CONFIGURATION = Origin(dialect=DialectName("configuration"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """`secrets` in the clear; the client's id, times and own secrets mean nothing."""

    client: Client
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


async def declare(env: Env, tenant: TenantId, wanted: Sequence[Declared]) -> None:
    """Add what is new, change what differs, disable what is no longer declared.

    One of the same name that was made by hand becomes the declared one; all others made by hand
    are left alone. Raises `Invalid`.
    """
    caller = operator(tenant, CONFIGURATION)
    there = {one.name: one for one in await list_clients(env, caller)}
    for one in wanted:
        before = there.pop(one.client.name, None)
        if before is None:
            await add_client(env, caller, replace(one.client, declared=True), one.secrets)
            continue
        after = _as_declared(before, one.client)
        secrets = _changed_secrets(env, before, one.secrets)
        if after != before or secrets:
            await change_client(env, caller, before.id, partial(_instead, after), secrets)
    for gone in there.values():
        if gone.declared and gone.enabled:
            await change_client(env, caller, gone.id, lambda one: replace(one, enabled=False))


def _instead(after: Client, _before: Client) -> Client:
    return after


def _as_declared(before: Client, wanted: Client) -> Client:
    return replace(
        wanted,
        id=before.id,
        tenant=before.tenant,
        secrets=before.secrets,
        declared=True,
        created=before.created,
        changed=before.changed,
    )


def _changed_secrets(env: Env, before: Client, wanted: Mapping[str, str]) -> dict[str, str]:
    """Those to replace, and those to drop as empty ones."""
    known = {
        name: env.vault.open(sealed, f"client:{before.id}:{name}")
        for name, sealed in before.secrets.items()
    }
    dropped = {name: "" for name in known if name not in wanted}
    new = {name: text for name, text in wanted.items() if known.get(name) != text}
    return {**dropped, **new}
