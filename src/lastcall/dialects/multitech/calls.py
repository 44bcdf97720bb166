"""The three calls: who asks, whom it is about, and what comes of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lastcall.authority.accounts import account_called
from lastcall.authority.credentials import Credentials, Proven, prove
from lastcall.authority.login import Start, login
from lastcall.authority.logout import logout
from lastcall.authority.refusals import refusals
from lastcall.authority.validate import validate
from lastcall.dialects.multitech.layout import (
    MASK,
    Whom,
    ended_token,
    of_caller,
    record,
    success,
    without_cookie,
)
from lastcall.dialects.multitech.settings import Settings
from lastcall.domain.access import Caller, Permission, Rank
from lastcall.domain.audit import Action
from lastcall.domain.errors import Conflict, Denied, Invalid, NotAuthenticated
from lastcall.domain.logout import OfSubject, OneSession, Scope
from lastcall.domain.session import Session
from lastcall.domain.subject import role_of
from lastcall.domain.token import same
from lastcall.domain.types import DialectName, Instant, Kind, SessionId, SubjectId
from lastcall.ports import Entropy
from lastcall.wire import (
    Call,
    Reply,
    cross_site,
    json_body,
    one,
    pairs,
    set_cookie,
)

TOKEN_BYTES = 16
FIELDS = ("token", "username", "password", "logoutUser")


def enter(call: Call[Settings]) -> Call[Settings]:
    """`method=` in the address overrides the method of a GET or POST."""
    wanted = one(pairs(call.query), "method")
    if wanted is None or call.method not in ("GET", "POST"):
        return call
    return call.with_(method=wanted.upper())


def said(call: Call[Settings]) -> dict[str, str]:
    """The fields of a call, from its address, its body and `data=`; each may be given once."""
    query = pairs(call.query)
    data = one(query, "data")
    body = json_body(call)
    inline = json_body(call.with_(body=data.encode())) if data is not None else None
    found: dict[str, str] = {}
    for name, value in (*query, *members(body), *members(inline)):
        if name not in FIELDS:
            continue
        if name in found:
            raise Invalid(name, "must not be given twice")
        if not isinstance(value, str):
            raise Invalid(name, "must be a string")
        found[name] = value
    return found


def members(value: Any) -> Iterable[tuple[str, Any]]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise Invalid("body", "must be a JSON object")
    return value.items()


def offered(call: Call[Settings], fields: Mapping[str, str]) -> str | None:
    """The token of the call, else of the cookie; one that contradicts the other is refused."""
    token, cookie = fields.get("token"), call.cookie("token") or None
    if token is None:
        return cookie
    if cookie is not None and not cross_site(call) and not same(token, cookie):
        raise Invalid("token", "differs from the cookie")
    return token


def name_and_password(fields: Mapping[str, str]) -> tuple[str, str] | None:
    """Both, or neither (None)."""
    name, password = fields.get("username"), fields.get("password")
    if name is None and password is None:
        return None
    if name is None or password is None:
        raise Invalid("username and password", "must be given together")
    return name, password


async def by_password(call: Call[Settings], pair: tuple[str, str]) -> Proven:
    given = Credentials(name=pair[0], password=pair[1], lockout=call.settings.lockout)
    return await prove(call.env, call.tenant, call.origin, given)


async def by_token(call: Call[Settings], token: str | None, *, use: bool = True) -> Caller:
    if token is None:
        raise NotAuthenticated("nothing offered")
    return await validate(
        call.env,
        call.tenant,
        token,
        call.origin,
        counts_as_use=use,
        bound_to_address=call.settings.bind_address,
    )


async def asker(call: Call[Settings], fields: Mapping[str, str], token: str | None) -> Caller:
    """Who authorises a logout: the token's holder, or whoever the credentials name.

    A live token beside credentials must be of the same user. A cookie does not count when
    another site made the browser send it.
    """
    pair = name_and_password(fields)
    foreign = "token" not in fields and cross_site(call)
    if pair is not None:
        proven = await by_password(call, pair)
        if not foreign and await holder(call, token) not in (None, proven.subject.id):
            raise Invalid("token and username", "name different users")
        return proven.caller(call.origin)
    caller = await by_token(call, token, use=not foreign)
    if foreign:
        async with refusals(call.env, caller, Action.LOGOUT):
            raise Denied("asked for by another site")
    return caller


async def holder(call: Call[Settings], token: str | None) -> SubjectId | None:
    """Whose token it is, as long as it counts."""
    try:
        return (await by_token(call, token, use=False)).subject
    except NotAuthenticated:
        return None


def one_address(new: Session, live: Sequence[Session]) -> Sequence[Session]:
    """One session a user and authorizer (browser or not): replaced in place, else a conflict."""
    standing = [one for one in live if (one.dialect, one.kind) == (new.dialect, new.kind)]
    if any(one.address != new.address for one in standing):
        raise Conflict("logged in from another address")
    return standing


def mint(entropy: Entropy, _id: SessionId, _expires: Instant) -> str:
    return entropy.bytes(TOKEN_BYTES).hex().upper()


async def log_in(call: Call[Settings]) -> Reply:
    pair = name_and_password(said(call))
    if pair is None:
        raise Invalid("username and password", "are required")
    proven = await by_password(call, pair)
    browser = call.origin.user_agent.startswith("Mozilla/")
    start = Start(
        kind=Kind.BROWSER if browser else Kind.NON_BROWSER,
        lifetime=call.settings.lifetime,
        mint=mint,
        admission=(one_address,),
    )
    begun = await login(call.env, call.origin, proven, start)
    whom = of_caller(begun.caller)
    reply = success(record(whom, begun.session, begun.token, begun.session.created))
    if cross_site(call):
        return reply
    secure = call.scheme == "https"
    return reply.plus(set_cookie("token", begun.token, same_site="Strict", secure=secure))


async def who_am_i(call: Call[Settings]) -> Reply:
    token = offered(call, said(call))
    quiet = call.method == "GET" and one(pairs(call.query), "inactivity") == "true"
    caller = await by_token(call, token, use=not quiet)
    return success(record(of_caller(caller), caller.session, token or "", call.env.clock.now()))


async def log_out(call: Call[Settings]) -> Reply:
    fields = said(call)
    token = offered(call, fields)
    caller = await asker(call, fields, token)
    whom, scope = await target(call, caller, fields.get("logoutUser"))
    done = await logout(call.env, caller, scope, needs=Permission.PEER_LOGOUT)
    session = newest(done.ended, call.dialect)
    own = session is not None and caller.session is not None and session.id == caller.session.id
    shown = (token or "") if own else ended_token(session.id) if session else ""
    if not call.settings.show_ended_token:
        shown = MASK
    reply = success(record(whom, session, shown, done.receipt.revocation.at))
    return without_cookie(call, reply) if whom.id == caller.subject else reply


async def target(call: Call[Settings], caller: Caller, name: str | None) -> tuple[Whom, Scope]:
    """Whom a logout is about. A name that is not known goes on to the verb, which refuses it."""
    if name is None:
        scope: Scope = OfSubject(subject=caller.subject, dialect=call.dialect)
        if caller.session is not None:
            scope = OneSession(session=caller.session.id)
        return of_caller(caller), scope
    if not name:
        raise Invalid("logoutUser", "must not be empty")
    found = await account_called(call.env, call.tenant, name)
    whom = Whom(
        id=found.id if found else SubjectId(""),
        username=name,
        rank=role_of(found).rank if found else Rank.MONITOR,
    )
    everywhere = call.settings.reach == "everywhere"
    return whom, OfSubject(subject=whom.id, dialect=None if everywhere else call.dialect)


def newest(ended: Sequence[Session], dialect: DialectName) -> Session | None:
    """The latest login among those that were still good, of this dialect if there is one."""
    live = [one for one in ended if one.ended and one.ended.at < one.deadline]
    return max(live, key=lambda one: (one.dialect == dialect, one.serial), default=None)
