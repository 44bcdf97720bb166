"""The gateway: service, key and version of a call, in SOAJS's order of checks, before any route."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lastcall.dialects.soajs.envelope import Said, said
from lastcall.dialects.soajs.keys import tenant_of, well_formed
from lastcall.dialects.soajs.settings import Settings, Tenant
from lastcall.domain.errors import Invalid
from lastcall.domain.types import TenantId
from lastcall.wire import Call, Pairs, Reply, content_type, cross_site, form, json_body, pairs

OVERRIDES = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
HEADERS = (
    "key,soajsauth,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,"
    "Cache-Control,Content-Type"
)
OLD, NEW = 1, 2
"""The versions of urac that this wire has: 0.x, which logs in and out, and 1.x, which does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the gateway has learnt of a call. `typed` says that the body came as JSON."""

    tenant: Tenant
    query: Mapping[str, str]
    body: Mapping[str, Any]
    typed: bool


def gate_of(call: Call[Settings]) -> Gate:
    gate: Gate = call.facts["soajs"]
    return gate


def enter(call: Call[Settings]) -> Call[Settings] | Reply:
    """Let a call through to its route, bound to its key's tenant; or answer it.

    1.x paths leave as `/urac:2/...`, all others without a version.
    """
    if call.method == "OPTIONS" and call.settings.cors_origin:
        return Reply(status=204)
    service, _, rest = call.path.removeprefix("/").partition("/")
    service, _, version = service.lower().partition(":")
    if service not in ("urac", "oauth"):
        raise said(130)
    query = readable_query(call)
    key = offered(call, query, "key") or ""
    found = tenant_of(call.settings.tenants, key)
    if found is None and not well_formed(key, call.settings.key_password):
        raise said(132)
    number, rest = deployed(call.settings, service, version, rest)
    body = parsed(call)
    if found is None or not serves(call, found[0]):
        modern = number == NEW or service == "oauth"
        raise said(153, status=200 if modern else 0)
    name, tenant = found
    typed = content_type(call) == "application/json"
    gate = Gate(tenant=tenant, query=query, body=body, typed=typed)
    path = f"/{service}{':2' if number == NEW else ''}/{rest.removesuffix('/')}"
    return call.with_(
        method=method_of(call),
        path=path,
        tenant=TenantId(name),
        facts={**call.facts, "soajs": gate},
    )


def method_of(call: Call[Settings]) -> str:
    """A POST may say that it means another method."""
    values = call.headers.get("x-http-method-override", ())
    wanted = values[0].strip().upper() if call.method == "POST" and len(values) == 1 else ""
    return wanted if wanted in OVERRIDES else call.method


def readable_query(call: Call[Settings]) -> Mapping[str, str]:
    """A query that cannot be read is none, so that it never stands in the way of a logout."""
    try:
        return joined(pairs(call.query))
    except Invalid:
        return {}


def joined(fields: Pairs) -> dict[str, str]:
    """Repeated parameters become one text with commas, as the vendor casts them."""
    found: dict[str, str] = {}
    for name, value in fields:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def offered(call: Call[Settings], query: Mapping[str, str], name: str) -> str | None:
    """A header, else the query parameter of the same name; a repeated header is no good."""
    values = call.headers.get(name, ())
    if values:
        return values[0] if len(values) == 1 else ""
    return query.get(name)


def deployed(settings: Settings, service: str, version: str, rest: str) -> tuple[int, str]:
    """The version meant, and the route below it; one that is no number means the usual one."""
    if service == "oauth":
        usual, known = OLD, {OLD}
    else:
        usual, known = (OLD, {OLD, NEW}) if settings.compat == "0.x" else (NEW, {NEW})
    in_path = re.fullmatch(r"v(\d+)/(.+)", rest) if settings.compat == "1.x" else None
    if in_path is not None and not version:
        version, rest = in_path[1], in_path[2]
    if not re.fullmatch(r"[0-9]{1,9}", version):
        return usual, rest
    if int(version) not in known:
        raise said(133)
    return int(version), rest


def serves(call: Call[Settings], tenant: str) -> bool:
    """A host that a tenant claims serves no other tenant's keys."""
    known = TenantId(tenant) in call.env.policies
    return known and (not call.tenant_by_host or call.tenant == tenant)


def parsed(call: Call[Settings]) -> Mapping[str, Any]:
    """The fields of a JSON or urlencoded body; any other kind has none."""
    kind = content_type(call)
    try:
        if kind == "application/x-www-form-urlencoded":
            return joined(form(call))
        value = json_body(call) if kind == "application/json" else None
    except Invalid as error:
        raise unreadable(call) from error
    if value is None or isinstance(value, list):
        return {}
    if not isinstance(value, dict):
        raise unreadable(call)
    return value


def unreadable(call: Call[Settings]) -> Said:
    asked_by = call.headers.get("x-requested-with", ("",))[0]
    return said(150 if asked_by.lower() == "xmlhttprequest" else 164)


def from_elsewhere(call: Call[Settings]) -> bool:
    """Whether another site made the browser call; the one the operator trusts is none such."""
    trusted = call.settings.cors_origin
    if trusted not in ("", "*") and call.headers.get("origin", ()) == (trusted,):
        return False
    return cross_site(call)


def leave(call: Call[Settings], reply: Reply) -> Reply:
    """The CORS headers, if they are on."""
    origin = call.settings.cors_origin
    if not origin:
        return reply
    reply = reply.plus(("Access-Control-Allow-Origin", origin))
    if origin != "*":
        reply = reply.plus(("Access-Control-Allow-Credentials", "true"), ("Vary", "Origin"))
    if call.method != "OPTIONS":
        return reply.plus(("Access-Control-Expose-Headers", HEADERS))
    return reply.plus(
        ("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
        ("Access-Control-Allow-Headers", HEADERS),
        ("Access-Control-Max-Age", "1728000"),
    )
