"""The services that answer in JSON: login, apilogin, logout, profile, ping."""

from base64 import b64decode

import msgspec
from joserfc import jwt
from joserfc.jwk import OctKey

from lastcall.authority.accounts import account
from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import LoggedIn, Mint, Start, login
from lastcall.authority.logout import logout
from lastcall.authority.refusals import refusals
from lastcall.dialects.elvis.faults import JSON
from lastcall.dialects.elvis.presented import (
    AnotherSite,
    caller_of_token,
    clear_cookie,
    csrf_token,
    require_own_will,
    set_cookie,
    token_of,
)
from lastcall.dialects.elvis.settings import Settings
from lastcall.domain.audit import Action
from lastcall.domain.errors import (
    BadCredentials,
    Conflict,
    LockedOut,
    NotAuthenticated,
    SecondFactorRequired,
    Superseded,
)
from lastcall.domain.logout import OneSession
from lastcall.domain.session import Lifetime
from lastcall.domain.subject import Subject
from lastcall.domain.token import SECRET_BYTES, secret_text
from lastcall.domain.types import Instant, Kind, SessionId
from lastcall.ports import Entropy
from lastcall.wire import Call, Pairs, Reply, cross_site, form, one, pairs

LOGGED_OUT = b'{\n"logoutSuccess" : true\n}'
"""To the byte as on the vendor's page."""


def answered(body: dict[str, object]) -> Reply:
    return Reply(body=msgspec.json.encode(body), headers=(("Content-Type", JSON),))


def given(call: Call[Settings]) -> Pairs:
    """Parameters of the query and of a urlencoded or multipart body, as one list.

    An address pasted over several lines keeps its line ends; they are no part of any value.
    """
    both = (*pairs(call.query), *form(call))
    return [(name.strip(), value.strip("\r\n")) for name, value in both]


class Failed(Exception):
    """A login that failed, in the words its answer gives: the vendor sends them with HTTP 200."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


async def log_in(call: Call[Settings]) -> Reply:
    """A browser's login: a cookie, and the token that proves later calls are its own."""
    asked = given(call)
    try:
        begun = await _begin(call, asked, Kind.BROWSER, call.settings.browser_lifetime, _secret)
    except Failed as failed:
        return answered({"loginSuccess": False, "loginFaultMessage": failed.message})
    body: dict[str, object] = {
        "loginSuccess": True,
        "serverVersion": call.settings.server_version,
        "csrfToken": csrf_token(begun.token),
    }
    if (one(asked, "returnProfile") or "").lower() == "true":
        body["userProfile"] = profile_of(begun.subject)
    return answered(body).plus(set_cookie(call, begun.token))


async def log_in_api(call: Call[Settings]) -> Reply:
    """An integration's login: a bearer token that owes no CSRF token and dies at logout."""
    started = call.env.clock.now()

    def mint(entropy: Entropy, session: SessionId, expires: Instant) -> str:
        return _json_web_token(entropy, session, started, expires)

    try:
        begun = await _begin(call, given(call), Kind.API, call.settings.api_lifetime, mint)
    except Failed as failed:
        return answered({"loginSuccess": False, "loginFaultMessage": failed.message})
    return answered(
        {
            "loginSuccess": True,
            "loginFaultMessage": None,
            "serverVersion": call.settings.server_version,
            "authToken": begun.token,
        }
    )


async def _begin(
    call: Call[Settings], asked: Pairs, kind: Kind, lifetime: Lifetime, mint: Mint
) -> LoggedIn:
    if cross_site(call):
        raise AnotherSite("login")
    name, password = _identity(asked)
    try:
        credentials = Credentials(name=name, password=password)
        proven = await prove(call.env, call.tenant, call.origin, credentials)
        start = Start(kind=kind, lifetime=lifetime, mint=mint)
        return await login(call.env, call.origin, proven, start)
    except (BadCredentials, SecondFactorRequired) as error:
        raise Failed("Invalid username or password") from error
    except LockedOut as error:
        raise Failed("Too many failed logins, try again later") from error
    except Conflict as error:
        raise Failed("Too many sessions are open for this user") from error
    except Superseded as error:
        raise Failed("The login was interrupted, try again") from error


def _identity(asked: Pairs) -> tuple[str, str]:
    """Name and password, plain or as base64 `cred`; both may come, but must not disagree."""
    name, password, cred = one(asked, "username"), one(asked, "password"), one(asked, "cred")
    packed = _unpacked(cred) if cred else None
    if name is None and password is None:
        if packed is None:
            raise Failed("Invalid username or password")
        return packed
    plain = (name or "", password or "")
    if not all(plain) or packed not in (None, plain):
        raise Failed("Invalid username or password")
    return plain


def _unpacked(cred: str) -> tuple[str, str] | None:
    """`user:password` out of base64, of either alphabet; a `+` may have become a space."""
    text = cred.strip().replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        plain = b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
    except ValueError:
        return None
    name, colon, password = plain.partition(":")
    return (name, password) if name and colon and password else None


def _secret(entropy: Entropy, _session: SessionId, _expires: Instant) -> str:
    return secret_text(entropy.bytes(SECRET_BYTES))


def _json_web_token(
    entropy: Entropy, session: SessionId, started: Instant, expires: Instant
) -> str:
    """A JWT in shape; what it is worth, only asking tells, so its key is thrown away at once."""
    claims: dict[str, object] = {
        "jti": _secret(entropy, session, expires),
        "sid": session,
        "iat": started // 1000,
        "exp": expires // 1000,
    }
    key = OctKey.import_key(entropy.bytes(64))
    return jwt.encode({"alg": "HS512"}, claims, key, algorithms=["HS512"])


async def log_out(call: Call[Settings]) -> Reply:
    """End the presented session. No parameters, so neither query nor body is read."""
    caller = await caller_of_token(call)
    if caller.session is None:
        raise NotAuthenticated("no session")
    scope = OneSession(session=caller.session.id)
    async with refusals(call.env, caller, Action.LOGOUT, f"session:{scope.session}"):
        require_own_will(call, caller)
    await logout(call.env, caller, scope)
    reply = Reply(body=LOGGED_OUT, headers=(("Content-Type", JSON),))
    _, by_browser = token_of(call)
    return reply.plus(clear_cookie(call)) if by_browser else reply


async def show_profile(call: Call[Settings]) -> Reply:
    caller = await caller_of_token(call)
    return answered(profile_of(await account(call.env, caller)))


def profile_of(subject: Subject) -> dict[str, object]:
    locale = subject.profile.get("locale")
    return {
        "username": subject.username,
        "fullName": subject.display_name or subject.username,
        "email": subject.email,
        "locale": locale if isinstance(locale, str) else "en_US",
        "authorities": [f"ROLE_{subject.role.upper()}"],
        "userZone": subject.tenant,
        "groups": list(subject.groups),
    }


async def ping(call: Call[Settings]) -> Reply:
    return answered(
        {
            "state": "running",
            "version": call.settings.server_version,
            "available": True,
            "server": "Elvis",
        }
    )
