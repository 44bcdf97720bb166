"""Logging in, with all the request bodies the vendor takes, logging out, and who one is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lastcall.authority.accounts import account
from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import Start, login
from lastcall.authority.logout import logout
from lastcall.authority.validate import validate
from lastcall.dialects.rocketchat.gate import counted
from lastcall.dialects.rocketchat.parameters import offered
from lastcall.dialects.rocketchat.profile import profile
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.dialects.rocketchat.words import success
from lastcall.domain.access import Caller
from lastcall.domain.errors import Invalid, NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.policy import Admission, WhenFull, capped
from lastcall.domain.session import Lifetime, Session
from lastcall.domain.subject import Subject
from lastcall.domain.token import SECRET_BYTES, secret_text
from lastcall.domain.types import Duration, Instant, Kind, SessionId
from lastcall.ports import Entropy
from lastcall.wire import Call, Reply, json_reply

SIMPLE = frozenset(("user", "username", "email", "password", "code"))
"""Beside any other key these mean nothing."""

DIGEST = re.compile(r"[0-9a-fA-F]{64}")
BROWSERS = ("browser", "mobile", "tablet")


async def log_in(call: Call[Settings]) -> Reply:
    counted(call)
    body = offered(call)
    resume = body.get("resume") if isinstance(body, dict) and len(body) == 1 else None
    if isinstance(resume, str):
        caller = await validate(call.env, call.tenant, resume, call.origin)
        return _logged_in(call, await account(call.env, caller), resume)
    given = credentials_in(body, call.header("x-2fa-code"))
    proven = await prove(call.env, call.tenant, call.origin, given)
    done = await login(call.env, call.origin, proven, _start(call))
    return _logged_in(call, done.subject, done.token)


def _logged_in(call: Call[Settings], subject: Subject, token: str) -> Reply:
    me = profile(subject, call.public_url)
    data = {"userId": subject.id, "authToken": token, "me": me}
    return json_reply({"status": "success", "data": data, "success": True})


def credentials_in(body: Any, code: str | None) -> Credentials:
    """Raises `Invalid` for a body no login handler of the vendor's would take."""
    if not isinstance(body, dict):
        raise Invalid("body", "is no login")
    if set(body) == {"totp"}:
        totp = body["totp"] if isinstance(body["totp"], dict) else {}
        inner = totp.get("login")
        if not isinstance(inner, dict) or set(inner) != {"user", "password"}:
            raise Invalid("totp", "is no login")
        return _with_code(_by_user_object(inner["user"], inner["password"]), totp.get("code"))
    if not set(body) <= SIMPLE:
        raise Invalid("body", "is no login")
    return _with_code(
        _by_user_object(_user_object(body), body.get("password")), body.get("code") or code
    )


def _user_object(body: Mapping[str, Any]) -> Any:
    user = body.get("user")
    if isinstance(user, str) and user:
        return {"email": user} if "@" in user else {"username": user}
    if user:
        return user
    return {"username": body["username"]} if body.get("username") else {"email": body.get("email")}


def _by_user_object(user: Any, password: Any) -> Credentials:
    """`{"username": ..}` or `{"email": ..}`, and the password or the digest of it."""
    if not isinstance(user, dict) or len(user) != 1:
        raise Invalid("user", "must be one name or one address")
    ((kind, name),) = user.items()
    if kind not in ("username", "email") or not isinstance(name, str) or not name:
        raise Invalid("user", "must be one name or one address")
    with_email = kind == "email"
    if isinstance(password, str):
        return Credentials(name=name, password=password, with_email=with_email, takes_code=True)
    digest = password.get("digest") if isinstance(password, dict) else None
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise Invalid("password", "is neither text nor a digest")
    if password != {"digest": digest, "algorithm": "sha-256"}:
        raise Invalid("password", "is no sha-256 digest")
    return Credentials(name=name, digest=digest, with_email=with_email, takes_code=True)


def _with_code(given: Credentials, code: Any) -> Credentials:
    """A code may come as a number; the method is always the strongest that is on."""
    if type(code) is int:
        code = f"{code:06d}"
    if code is not None and not isinstance(code, str):
        raise Invalid("code", "must be text")
    return replace(given, code=code or None)


def _start(call: Call[Settings]) -> Start:
    settings = call.settings
    browser = call.env.device_of(call.origin.user_agent).type in BROWSERS
    return Start(
        kind=Kind.BROWSER if browser else Kind.NON_BROWSER,
        lifetime=Lifetime(
            idle=Duration(settings.idle) or None, absolute=Duration(settings.longest_life)
        ),
        mint=mint,
        admission=(_token_cap(settings.MAX_RESUME_LOGIN_TOKENS),),
    )


def mint(entropy: Entropy, _id: SessionId, _expires: Instant) -> str:
    """43 characters of `[A-Za-z0-9_-]`: 256 bits."""
    return secret_text(entropy.bytes(SECRET_BYTES))


def _token_cap(limit: int) -> Admission:
    """The oldest of this wire's sessions makes room, as the vendor drops the oldest token."""
    cap = capped(limit, WhenFull.END_OLDEST)

    def admit(new: Session, live: Sequence[Session]) -> Sequence[Session]:
        return cap(new, [session for session in live if session.dialect == new.dialect])

    return admit


async def log_out(call: Call[Settings], caller: Caller, _nothing: None) -> Reply:
    await logout(call.env, caller, OneSession(session=own_session(caller).id))
    data = {"message": "You've been logged out!"}
    return json_reply({"status": "success", "data": data})


async def who_am_i(call: Call[Settings], caller: Caller, _nothing: None) -> Reply:
    return success(**profile(await account(call.env, caller), call.public_url))


def own_session(caller: Caller) -> Session:
    if caller.session is None:
        raise NotAuthenticated("no session")
    return caller.session
