"""`/urac`: logging in and out, and one's record, each reply with a handle for the next call."""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lastcall.authority.accounts import account
from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.introspect import introspect
from lastcall.authority.login import LoggedIn, Start, login
from lastcall.authority.logout import logout
from lastcall.authority.validate import validate
from lastcall.dialects.soajs.envelope import refuse, said, success
from lastcall.dialects.soajs.fields import texts
from lastcall.dialects.soajs.gateway import from_elsewhere, gate_of, offered
from lastcall.dialects.soajs.handles import (
    cookie_value,
    handle,
    mint_sid,
    new_sid,
    sid_of,
    sid_of_cookie,
)
from lastcall.dialects.soajs.record import login_record, user
from lastcall.dialects.soajs.settings import Settings
from lastcall.domain.access import Caller
from lastcall.domain.errors import AuthorityError, NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.policy import Admission
from lastcall.domain.session import Session
from lastcall.domain.types import Kind
from lastcall.wire import Call, Reply, clear_cookie, set_cookie

CALLBACK = re.compile(r"[\[\]\w$.]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A call and who makes it. `sid` is what the reply's handle stands for.

    An anonymous caller gets a session id that nothing remembers: nobody's visit stores anything.
    """

    call: Call[Settings]
    caller: Caller | None
    sid: str

    def success(self, data: object, sid: str = "") -> Reply:
        return success(data, handle(self.call.env.entropy, sid or self.sid))


Work = Callable[[Visit], Awaitable[Reply]]


def in_session(work: Work, *, jsonp: bool = False) -> Callable[[Call[Settings]], Awaitable[Reply]]:
    """Find out who calls, then do the work; a refusal in it carries the handle too."""

    async def run(call: Call[Settings]) -> Reply:
        visit = await arrive(call)
        try:
            reply = await work(visit)
        except AuthorityError as error:
            call.trail.refused = error
            reply = refuse(call, error, handle(call.env.entropy, visit.sid))
        return padded(call, reply) if jsonp and call.settings.jsonp else reply

    return run


async def arrive(call: Call[Settings]) -> Visit:
    sid = presented(call)
    if sid is not None:
        with suppress(NotAuthenticated):
            caller = await validate(call.env, call.tenant, sid, call.origin)
            return Visit(call=call, caller=caller, sid=sid)
    return Visit(call=call, caller=None, sid=new_sid(call.env.entropy))


def presented(call: Call[Settings]) -> str | None:
    """The session id of the cookie, which decides if there is one, else of `soajsauth`."""
    cookie = call.cookie(call.settings.session_name)
    if cookie is None:
        return sid_of(offered(call, gate_of(call).query, "soajsauth") or "")
    return None if from_elsewhere(call) else sid_of_cookie(cookie, secret(call))


def secret(call: Call[Settings]) -> str:
    """What cookies are signed with; never an empty one."""
    return call.settings.session_secret or call.env.vault.mac("session", "soajs-cookie")


def padded(call: Call[Settings], reply: Reply) -> Reply:
    """The reply as a script that calls the function named, as Express writes it."""
    name = gate_of(call).query.get("callback", "")
    if not CALLBACK.fullmatch(name) or not reply.body:
        return reply
    body = json.dumps(json.loads(reply.body), separators=(",", ":"))
    script = f"/**/ typeof {name} === 'function' && {name}({body});"
    others = [header for header in reply.headers if header[0] != "Content-Type"]
    headers = (("Content-Type", "text/javascript; charset=utf-8"), *others)
    return Reply(status=reply.status, body=script.encode(), headers=headers)


async def log_in(visit: Visit) -> Reply:
    """A new session id whatever was presented; the login it stood for, if any, is replaced."""
    call, gate = visit.call, gate_of(visit.call)
    fields = texts(gate.body, ("username", "password"))
    given = Credentials(name=fields["username"], password=fields["password"], with_email=True)
    proven = await prove(call.env, call.tenant, call.origin, given)
    browser = call.origin.user_agent.startswith("Mozilla/")
    start = Start(
        kind=Kind.BROWSER if browser else Kind.NON_BROWSER,
        lifetime=call.settings.lifetime,
        mint=mint_sid,
        admission=(replacing(visit.caller),),
    )
    begun = await login(call.env, call.origin, proven, start)
    await leave_former(visit, begun)
    reply = visit.success(login_record(begun.subject, gate.tenant), begun.token)
    return reply if from_elsewhere(call) else reply.plus(signed_cookie(call, begun.token))


def replacing(caller: Caller | None) -> Admission:
    """The session one comes with makes room for the new one of the same account."""

    def admit(_new: Session, live: Sequence[Session]) -> Sequence[Session]:
        own = caller.session if caller else None
        return [one for one in live if own and one.id == own.id]

    return admit


async def leave_former(visit: Visit, begun: LoggedIn) -> None:
    """Logging in as somebody else ends the former account's session."""
    caller = visit.caller
    if caller is None or caller.session is None or caller.subject == begun.subject.id:
        return
    with suppress(NotAuthenticated):
        await logout(visit.call.env, caller, OneSession(session=caller.session.id))


def signed_cookie(call: Call[Settings], sid: str) -> tuple[str, str]:
    settings = call.settings
    name, value = set_cookie(
        settings.session_name,
        cookie_value(sid, secret(call)),
        secure=secure(call),
        same_site=settings.cookie_same_site,
    )
    return (name, value + domain(settings))


def secure(call: Call[Settings]) -> bool:
    return call.scheme == "https" or call.settings.cookie_same_site == "None"


def domain(settings: Settings) -> str:
    return f"; Domain={settings.cookie_domain}" if settings.cookie_domain else ""


async def log_out(visit: Visit) -> Reply:
    """Ends the caller's own session; whoever is not logged in is told `true` and stores nothing.

    The reply's handle is a new anonymous one: the old handle is dead.
    """
    call, data = visit.call, None
    with suppress(NotAuthenticated):
        data = await ended_record(visit)
    reply = visit.success(True if data is None else data, new_sid(call.env.entropy))
    if await cookie_is_dead(call):
        name, value = clear_cookie(
            call.settings.session_name,
            secure=secure(call),
            same_site=call.settings.cookie_same_site,
        )
        reply = reply.plus((name, value + domain(call.settings)))
    return reply


async def ended_record(visit: Visit) -> object:
    """End the session, durably; then the record of whose it was, None when it was nobody's."""
    call, caller = visit.call, visit.caller
    if caller is None or caller.session is None:
        return None
    settings = call.settings
    whole = settings.logout_data == "record"
    subject = await account(call.env, caller) if whole else None
    await logout(call.env, caller, OneSession(session=caller.session.id))
    if subject is None:
        return True
    return login_record(subject, gate_of(call).tenant, blanks=settings.tenant_key_blanks)


async def cookie_is_dead(call: Call[Settings]) -> bool:
    """Whether the cookie that came is good for no tenant any more, and ours to take away."""
    cookie = call.cookie(call.settings.session_name)
    if cookie is None or from_elsewhere(call):
        return False
    sid = sid_of_cookie(cookie, secret(call))
    return sid is None or await introspect(call.env, None, sid, call.origin) is None


async def get_user(visit: Visit) -> Reply:
    """One's own record, or another's for whoever may read accounts; else there is no such user."""
    call, gate = visit.call, gate_of(visit.call)
    if visit.caller is None:
        raise NotAuthenticated("nobody is logged in")
    fields = texts(gate.query, ("username",))
    found = await account(call.env, visit.caller, fields["username"])
    return visit.success(user(found, gate.tenant))


async def unknown(call: Call[Settings]) -> Reply:
    """151; the old service has looked up the session by then, and says so in its handle."""
    refused = said(151)
    call.trail.refused = refused
    if not call.path.startswith("/urac/"):
        return refuse(call, refused)
    visit = await arrive(call)
    return refuse(call, refused, handle(call.env.entropy, visit.sid))
