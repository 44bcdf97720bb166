"""Native routes for machines: the proxy's check, and introspection for applications."""

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import quote, unquote_plus

from lastcall.authority.at_once import at_once, refused_at_once
from lastcall.authority.introspect import introspect
from lastcall.dialects.native.callers import known, tenants
from lastcall.dialects.native.positions import confirmed, written
from lastcall.dialects.native.problems import POSITION, REMAINING, BadService, token_refused
from lastcall.dialects.native.reading import form_fields
from lastcall.dialects.native.settings import Service, Settings
from lastcall.dialects.native.shapes import Actor, Introspection
from lastcall.dialects.native.views import amr_of
from lastcall.domain.access import Caller
from lastcall.domain.errors import Invalid, LockedOut, NotAuthenticated
from lastcall.domain.session import Session, touched
from lastcall.domain.token import same
from lastcall.domain.types import Duration, TenantId
from lastcall.ports import Env, Found
from lastcall.wire import Call, Quick, Refusing, Reply, bearer, json_reply

TOKEN_CHARACTERS = "!#$&'*+-.^_`|~"
"""What a header value may hold unchanged besides letters and digits (RFC 9110 5.6.2), less `%`."""

MOST_QUOTED = 4_096

NAMES = tuple(
    f"X-Lastcall-{name}"
    for name in ("Subject", "Username", "Role", "Session", "Tenant", "Dialect", "Expires")
)
NAMES_IMPERSONATED = (*NAMES, "X-Lastcall-Impersonator")
LINES, LINES_IMPERSONATED = (
    "".join(f"{name.lower()}: %s\r\n" for name in names) for names in (NAMES, NAMES_IMPERSONATED)
)

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
    values = _values(session, caller.username, caller.role.name)
    names = NAMES if len(values) == len(NAMES) else NAMES_IMPERSONATED
    return Reply(status=204, headers=tuple(zip(names, values, strict=True)))


def check_at_once(env: Env, settings: Settings, tenant: TenantId, tenant_by_host: bool) -> Quick:
    """`check` for one bearer token and nothing else, when it is good."""
    return at_once(env, tenants(settings, tenant, by_host=tenant_by_host), _text)


def refusing(env: Env, settings: Settings, tenant: TenantId, tenant_by_host: bool) -> Refusing:
    """`check` for one bearer token and nothing else, when it was issued and does not count."""
    accepted = tenants(settings, tenant, by_host=tenant_by_host)
    return Refusing(refused_at_once(env, accepted), token_refused)


def _text(found: Found) -> bytes:
    values = _values(found.session, found.subject.username, found.subject.role)
    text = LINES if len(values) == len(NAMES) else LINES_IMPERSONATED
    return (text % values).encode("ascii")


class Quoted(dict[str, str]):
    """Header values, percent-encoded where they must be; what comes again is remembered."""

    def __missing__(self, value: str) -> str:
        if len(self) >= MOST_QUOTED:
            self.clear()
        quoted = self[value] = quote(value, safe=TOKEN_CHARACTERS)
        return quoted


quoted = Quoted()


def _values(session: Session, username: str, role: str) -> tuple[str, ...]:
    """In the order of the names."""
    shown, sitter = session.id, session.impersonator
    values = (
        quoted[session.subject],
        quoted[username],
        quoted[role],
        shown if shown.isascii() and shown.isalnum() else quoted[shown],
        quoted[session.tenant],
        quoted[session.dialect],
        str(session.expires // 1_000),
    )
    return values if sitter is None else (*values, quoted[sitter])


async def introspect_token(call: Call[Settings]) -> Reply:
    """RFC 7662. It counts as a use of the session only where the service says there was one.

    To who tells how far it has come on the feed, the answer is not older than that, and says how
    old it can be at most, and for how long it counts unless the feed says otherwise.
    """
    _, service = service_of(call)
    fields = form_fields(call)
    if not fields.get("token"):
        raise Invalid("token", "is missing")
    used = _flag(fields, "use")
    tenant = TenantId(service.tenant) if service.tenant else None
    here = await confirmed(call)
    known_as = ((POSITION, written(here)),) if here else ()
    caller = await introspect(call.env, tenant, fields["token"], call.origin, counts_as_use=used)
    if caller is None or caller.session is None:
        return json_reply(Introspection(active=False)).plus(*known_as)
    now = call.env.clock.now()
    session = touched(caller.session, now) if used else caller.session
    ends = min(session.token_expires or session.deadline, session.deadline)
    reply = json_reply(_introspection(call, caller, session, ends))
    remaining = ((REMAINING, str(max(0, ends - now))),) if here else ()
    return reply.plus(*known_as, *remaining)


def _introspection(
    call: Call[Settings], caller: Caller, session: Session, ends: int
) -> Introspection:
    return Introspection(
        active=True,
        sub=caller.subject,
        username=caller.username,
        token_type="Bearer",
        iss=call.public_url,
        iat=session.created // 1_000,
        exp=ends // 1_000,
        auth_time=session.created // 1_000,
        amr=amr_of(session),
        sid=session.id,
        tenant=caller.tenant,
        role=caller.role.name,
        dialect=session.dialect,
        act=Actor(sub=session.impersonator) if session.impersonator else None,
    )


def _flag(fields: Mapping[str, str], name: str) -> bool:
    given = fields.get(name, "false")
    if given not in ("true", "false"):
        raise Invalid(name, "must be true or false")
    return given == "true"


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
