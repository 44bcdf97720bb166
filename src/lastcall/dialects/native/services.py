"""Native routes for machines: the proxy's check, and introspection for applications."""

import hashlib
from base64 import b64decode
from urllib.parse import quote, unquote_plus

from lastcall.authority.introspect import introspect
from lastcall.dialects.native.callers import known
from lastcall.dialects.native.problems import BadService
from lastcall.dialects.native.reading import form_fields
from lastcall.dialects.native.settings import Service, Settings
from lastcall.dialects.native.shapes import Actor, Introspection
from lastcall.dialects.native.views import amr_of
from lastcall.domain.errors import Invalid, LockedOut, NotAuthenticated
from lastcall.domain.token import same
from lastcall.domain.types import Duration, TenantId
from lastcall.wire import Call, Reply, bearer, json_reply

TOKEN_CHARACTERS = "!#$&'*+-.^_`|~"
"""What a header value may hold unchanged besides letters and digits (RFC 9110 5.6.2), less `%`."""

WRONG_SECRETS = 30
WINDOW = Duration(60_000)


async def check(call: Call[Settings]) -> Reply:
    """204 and who it is, or 401; for nginx `auth_request` and Traefik's ForwardAuth.

    Tokens of every dialect count here. Header values are percent-encoded where they must be.
    What cannot be read is a 401 too: to those proxies any other status is a broken server.
    """
    try:
        known_by = await known(call, any_dialect=True)
    except Invalid as error:
        raise NotAuthenticated(str(error)) from error
    caller, session = known_by.caller, known_by.session
    shown = {
        "Subject": caller.subject,
        "Username": caller.username,
        "Role": caller.role.name,
        "Session": session.id,
        "Tenant": caller.tenant,
        "Dialect": session.dialect,
        "Expires": str(session.expires // 1_000),
    }
    if session.impersonator is not None:
        shown["Impersonator"] = session.impersonator
    headers = tuple(
        (f"X-Lastcall-{name}", quote(value, safe=TOKEN_CHARACTERS)) for name, value in shown.items()
    )
    return Reply(status=204, headers=headers)


async def introspect_token(call: Call[Settings]) -> Reply:
    """RFC 7662. It does not count as a use of the session."""
    _, service = service_of(call)
    fields = form_fields(call)
    if not fields.get("token"):
        raise Invalid("token", "is missing")
    tenant = TenantId(service.tenant) if service.tenant else None
    caller = await introspect(call.env, tenant, fields["token"], call.origin)
    if caller is None or caller.session is None:
        return json_reply(Introspection(active=False))
    session = caller.session
    return json_reply(
        Introspection(
            active=True,
            sub=caller.subject,
            username=caller.username,
            token_type="Bearer",
            iss=call.public_url,
            iat=session.created // 1_000,
            exp=min(session.token_expires or session.deadline, session.deadline) // 1_000,
            auth_time=session.created // 1_000,
            amr=amr_of(session),
            sid=session.id,
            tenant=caller.tenant,
            role=caller.role.name,
            dialect=session.dialect,
            act=Actor(sub=session.impersonator) if session.impersonator else None,
        )
    )


def service_of(call: Call[Settings]) -> tuple[str, Service]:
    """The service whose secret was given, with its name; wrong ones are counted by address."""
    offers = _offered(call)
    found = None
    for name, secret in offers:
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        for known_name, service in call.settings.services.items():
            if same(digest, _digest(service)) and name in (None, known_name):
                found = known_name, service
    if found is not None:
        return found
    if offers:
        hit = call.limiter.hit(f"native-service:{call.address}", WRONG_SECRETS, WINDOW)
        if not hit.allowed:
            wait = Duration(max(1_000, hit.reset - call.env.clock.now()))
            raise LockedOut("too many wrong service secrets", retry_after=wait, by="address")
    raise BadService("no such service, or a wrong secret")


def _offered(call: Call[Settings]) -> set[tuple[str | None, str]]:
    """Name and secret of `Authorization: Basic`, or the secret alone of `Bearer`.

    Basic as it stands and form-decoded: RFC 6749 2.3.1 wants the one, many clients send the other.
    """
    secret = bearer(call)
    if secret is not None:
        return {(None, secret)}
    kind, _, encoded = (call.header("authorization") or "").partition(" ")
    if kind.lower() != "basic":
        return set()
    try:
        name, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError as error:
        raise BadService("not readable") from error
    return {(name, secret), (unquote_plus(name), unquote_plus(secret))}


def _digest(service: Service) -> str:
    if service.secret_sha256:
        return service.secret_sha256.lower()
    return hashlib.sha256(service.secret.encode()).hexdigest()
