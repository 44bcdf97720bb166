"""Native routes that begin or strengthen a session: login, step-up, a new password."""

from dataclasses import replace

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.impersonate import impersonate
from lastcall.authority.login import Start, login
from lastcall.authority.step_up import step_up
from lastcall.authority.subjects import change_subject
from lastcall.dialects.native import shapes
from lastcall.dialects.native.callers import cookie_of, csrf_of, known, mint, tenants
from lastcall.dialects.native.problems import CsrfRefused
from lastcall.dialects.native.reading import json_as
from lastcall.dialects.native.settings import Settings
from lastcall.domain.audit import Action
from lastcall.domain.errors import Invalid
from lastcall.domain.factor import Method
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import Kind, TenantId
from lastcall.wire import Call, Reply, cross_site, iso_time, json_reply

NOBODY = "\0"
"""Begins a name no account has: an unknown tenant is refused like an unknown name in this one."""


async def log_in(call: Call[Settings]) -> Reply:
    """Always a new session and a new token; what the request presents besides is not looked at."""
    asked = json_as(call, shapes.Login)
    if asked.cookie and cross_site(call):
        raise CsrfRefused("another site asked for a browser session")
    tenant = TenantId(asked.tenant) if asked.tenant is not None else call.tenant
    may = (
        tenant in tenants(call.settings, call.tenant, by_host=call.tenant_by_host)
        and tenant in call.env.policies
    )
    proven = await prove(
        call.env,
        tenant if may else call.tenant,
        call.origin,
        Credentials(
            name=asked.username if may else NOBODY + asked.username,
            password=asked.password,
            code=asked.code,
            method=_method(asked.method),
            takes_code=True,
        ),
    )
    start = Start(
        kind=Kind.BROWSER if asked.cookie else Kind.API,
        lifetime=call.settings.lifetime,
        mint=lambda entropy, _id, _expires: mint(entropy),
    )
    done = await login(call.env, call.origin, proven, start)
    return _with_token(done.session, done.token, by_cookie=asked.cookie)


async def step_up_session(call: Call[Settings]) -> Reply:
    """The answer carries the token that replaces the one the call was made with."""
    known_by = await known(call, changes=Action.STEP_UP)
    asked = json_as(call, shapes.StepUp, optional=True)
    code, method = asked.code, _method(asked.method)
    if asked.password is not None:
        code, method = digest_password(asked.password), Method.PASSWORD
    done = await step_up(call.env, known_by.caller, code, method, mint=mint)
    session = done.caller.session or known_by.session
    return _with_token(session, done.token, by_cookie=known_by.offered.by_cookie)


async def change_password(call: Call[Settings]) -> Reply:
    """One's own. The current one is proved anew, with the second factor if one is on."""
    caller = (await known(call, changes=Action.SUBJECT_CHANGED)).caller
    asked = json_as(call, shapes.NewPassword)
    await prove(
        call.env,
        caller.tenant,
        call.origin,
        Credentials(
            name=caller.username,
            password=asked.current,
            code=asked.code,
            method=_method(asked.method),
            takes_code=True,
        ),
    )
    hashed = await call.env.passwords.hash(digest_password(asked.new))

    def change(subject: Subject) -> Subject:
        return replace(subject, password_hash=hashed)

    await change_subject(call.env, caller, caller.subject, change)
    return Reply(status=204)


async def impersonate_somebody(call: Call[Settings]) -> Reply:
    """The call's own session goes on; the new one is a bearer session, from a browser too."""
    caller = (await known(call, changes=Action.IMPERSONATED)).caller
    asked = json_as(call, shapes.Impersonate)
    if (asked.subject is None) == (asked.username is None):
        raise Invalid("subject", "or else username is needed")
    start = Start(
        kind=Kind.API,
        lifetime=call.settings.impersonation,
        mint=lambda entropy, _id, _expires: mint(entropy),
    )
    done = await impersonate(
        call.env,
        caller,
        start,
        asked.reason,
        subject=asked.subject or "",
        username=asked.username or "",
    )
    return _with_token(done.session, done.token, by_cookie=False)


def _with_token(session: Session, token: str, *, by_cookie: bool) -> Reply:
    answer = shapes.LoggedIn(
        session=session.id,
        subject=session.subject,
        expires=iso_time(session.expires),
        token=None if by_cookie else token,
        csrf=csrf_of(token) if by_cookie else None,
    )
    reply = json_reply(answer)
    return reply.plus(cookie_of(token)) if by_cookie else reply


def _method(name: shapes.SecondFactor | None) -> Method | None:
    return None if name is None else Method(name)
