"""`/oauth`: the calls that took the place of login and logout in 1.x, made to keep their word."""

import re
from base64 import b64encode

from lastcall.authority.accounts import account, account_where
from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import LoggedIn, Start, login
from lastcall.authority.logout import logout
from lastcall.authority.refresh import refresh
from lastcall.authority.sessions import session_of_token
from lastcall.authority.validate import validate
from lastcall.dialects.soajs.envelope import (
    PASSWORD,
    USER,
    Fault,
    Said,
    refuse,
    said,
    success,
    tells_unknown,
)
from lastcall.dialects.soajs.fields import texts
from lastcall.dialects.soajs.gateway import gate_of
from lastcall.dialects.soajs.record import user, user_id
from lastcall.dialects.soajs.settings import Settings
from lastcall.domain.access import Caller
from lastcall.domain.errors import (
    BadCredentials,
    Denied,
    LockedOut,
    NotAuthenticated,
    NotFound,
    SecondFactorRequired,
)
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.token import same
from lastcall.domain.types import Instant, Kind, SessionId, SubjectId
from lastcall.ports import Entropy
from lastcall.wire import Call, Reply, json_reply, retry_after

TOKEN = re.compile(r"[0-9a-f]{40}")
TOKEN_BYTES = 20

NO_CLIENT = Fault(400, "Invalid or missing client_id parameter")
NO_NAME = Fault(400, 'Missing parameters. "username" and "password" are required')
NO_REFRESH = Fault(400, "Invalid refresh token")
NO_TOKEN = Fault(400, "The access token was not found")
BAD_TOKEN = Fault(401, "The access token provided is invalid.")
BAD_HEADER = Fault(400, "Malformed auth header")
TWO_WAYS = Fault(
    400, "Only one method may be used to authenticate at a time (Auth header,  GET or POST)."
)

WITHDRAWN = (
    ("Deprecation", "@1491350400"),  # RFC 9745: 2017-04-05, the day 1.x dropped the calls
    (
        "Link",
        ", ".join(
            f'<{path}>; rel="successor-version"'
            for path in (
                "/oauth/token",
                "/oauth/accessToken",
                "/oauth/refreshToken",
                "/oauth/tokens/user",
                "/oauth/tokens/tenant",
            )
        ),
    ),
)


def mint(entropy: Entropy, _id: SessionId, _expires: Instant) -> str:
    """160 random bits."""
    return entropy.bytes(TOKEN_BYTES).hex()


async def authorization(call: Call[Settings]) -> Reply:
    """The client credentials of the key's tenant, for whoever has the key, as at the vendor's."""
    if not gate_of(call).tenant.oauth_secret:
        raise said(406)
    return success(client_credentials(call))


def client_credentials(call: Call[Settings]) -> str:
    tenant = gate_of(call).tenant
    return "Basic " + b64encode(f"{tenant.id}:{tenant.oauth_secret}".encode()).decode("ascii")


async def token(call: Call[Settings]) -> Reply:
    """Tokens for a password, or for a refresh token, which then is used up."""
    fields = texts(
        gate_of(call).body,
        ("grant_type",),
        ("username", "password", "refresh_token"),
        {"grant_type": ("refresh_token", "password")},
    )
    given = call.headers.get("authorization", ("",))
    known = bool(gate_of(call).tenant.oauth_secret) and len(given) == 1
    if not known or not same(given[0], client_credentials(call)):
        raise Said(NO_CLIENT, status=500)
    if fields["grant_type"] == "password":
        return granted(call, await by_password(call, fields))
    return granted(call, await by_refresh_token(call, fields.get("refresh_token", "")))


async def by_password(call: Call[Settings], fields: dict[str, str]) -> LoggedIn:
    name, password = fields.get("username"), fields.get("password")
    if not name or not password:
        raise Said(NO_NAME, status=500)
    given = Credentials(name=name, password=password, with_email=True)
    try:
        proven = await prove(call.env, call.tenant, call.origin, given)
    except (BadCredentials, LockedOut, SecondFactorRequired) as error:
        text = USER if tells_unknown(call, error) else f"{PASSWORD}."
        raise Said(Fault(503, text), status=500, headers=retry_after(error)) from error
    start = Start(
        kind=Kind.API,
        lifetime=call.settings.oauth_lifetime,
        mint=mint,
        mint_refresh=mint,
        token_life=call.settings.access_life,
    )
    return await login(call.env, call.origin, proven, start)


async def by_refresh_token(call: Call[Settings], old: str) -> LoggedIn:
    try:
        return await refresh(
            call.env,
            call.tenant,
            old,
            call.origin,
            mint=mint,
            mint_refresh=mint,
            token_life=call.settings.access_life,
        )
    except NotAuthenticated as error:
        raise Said(NO_REFRESH, status=500) from error


def granted(call: Call[Settings], begun: LoggedIn) -> Reply:
    """The one success without an envelope (RFC 6749 5.1); `expires_in` in seconds, rounded up."""
    session, now = begun.session, call.env.clock.now()
    until = min(session.token_expires or session.expires, session.expires)
    body = {
        "token_type": "bearer",
        "access_token": begun.token,
        "expires_in": -((now - until) // 1_000),
        "refresh_token": begun.refresh,
    }
    return json_reply(body).plus(("Cache-Control", "no-store"), ("Pragma", "no-cache"))


async def guard(call: Call[Settings]) -> Caller:
    """Who holds the access token, given as a bearer or in the query but not in both."""
    header, asked = call.headers.get("authorization", ()), gate_of(call).query.get("access_token")
    if header and asked is not None:
        raise Said(TWO_WAYS)
    if not header and asked is None:
        raise Said(NO_TOKEN)
    if header:
        found = re.search(r"Bearer\s(\S+)", header[0]) if len(header) == 1 else None
        if found is None:
            raise Said(BAD_HEADER)
        asked = found[1]
    try:
        if asked is None or not TOKEN.fullmatch(asked):
            raise NotAuthenticated("not an access token")
        return await validate(call.env, call.tenant, asked, call.origin)
    except NotAuthenticated as error:
        raise Said(BAD_TOKEN) from error


async def delete_access_token(call: Call[Settings]) -> Reply:
    return await delete_token(call, is_refresh=False)


async def delete_refresh_token(call: Call[Settings]) -> Reply:
    return await delete_token(call, is_refresh=True)


async def delete_token(call: Call[Settings], *, is_refresh: bool) -> Reply:
    """Either half ends the login, and with it the other half."""
    caller, text = await guard(call), call.segments["token"]
    found = None
    if TOKEN.fullmatch(text):
        found = await session_of_token(call.env, caller, text, refresh=is_refresh)
    return await deleted(call, caller, OneSession(session=found or SessionId("")))


async def delete_user_tokens(call: Call[Settings]) -> Reply:
    """By the `_id` that records show."""
    caller, wanted = await guard(call), call.segments["userId"]
    subject: SubjectId | None = caller.subject
    if user_id(call.tenant, caller.subject) != wanted:
        subject = await account_where(
            call.env, caller, lambda one: user_id(one.tenant, one.id) == wanted
        )
    own = call.settings.reach == "own"
    scope = OfSubject(subject=subject or SubjectId(""), dialect=call.dialect if own else None)
    return await deleted(call, caller, scope)


async def delete_tenant_tokens(call: Call[Settings]) -> Reply:
    """Everybody's, of the key's own tenant; another tenant is as good as none."""
    caller = await guard(call)
    if call.segments["clientId"] != gate_of(call).tenant.id:
        return await deleted(call, caller, OneSession(session=SessionId("")))
    own = call.settings.reach == "own"
    return await deleted(call, caller, OfDialect(dialect=call.dialect) if own else OfTenant())


async def deleted(call: Call[Settings], caller: Caller, scope: Scope) -> Reply:
    """How many logins ended: none if there was nothing, or nothing of what the caller may end."""
    count = 0
    try:
        count = len((await logout(call.env, caller, scope)).ended)
    except (Denied, NotFound, SecondFactorRequired) as error:
        call.trail.refused = error
    except NotAuthenticated as error:
        raise Said(BAD_TOKEN) from error
    return success({"ok": 1, "n": count})


async def withdrawn(call: Call[Settings]) -> Reply:
    """What a 1.x server says to the old calls, and where to turn instead."""
    refused = said(151)
    call.trail.refused = refused
    return refuse(call, refused).plus(*WITHDRAWN)


async def get_user(call: Call[Settings]) -> Reply:
    """`/urac/account/getUser` of 1.x, which knows its caller by the access token."""
    caller = await guard(call)
    fields = texts(gate_of(call).query, ("username",))
    return success(user(await account(call.env, caller, fields["username"]), gate_of(call).tenant))
