"""Native routes about sessions: one's own, others', ending them, and the receipts."""

from lastcall.authority.accounts import account, accounts_of
from lastcall.authority.logout import logout
from lastcall.authority.sessions import list_sessions
from lastcall.dialects.native import shapes
from lastcall.dialects.native.callers import Known, csrf_of, known
from lastcall.dialects.native.masses import end_previewed
from lastcall.dialects.native.problems import COOKIE
from lastcall.dialects.native.reading import json_as, query_as
from lastcall.dialects.native.settings import Settings
from lastcall.dialects.native.views import account_view, receipt_view, session_view
from lastcall.domain.access import Permission
from lastcall.domain.audit import Action
from lastcall.domain.errors import Invalid
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Scope, covers
from lastcall.domain.types import DialectName, Kind, Serial, SessionId, SubjectId
from lastcall.ports import SessionQuery
from lastcall.wire import Call, Reply, clear_cookie, json_reply

CLEAR_SITE_DATA = ("Clear-Site-Data", '"cache", "storage"')


async def own_session(call: Call[Settings]) -> Reply:
    """With the cookie it also tells the CSRF token, for pages that were loaded anew."""
    known_by = await known(call)
    csrf = csrf_of(known_by.offered.token) if known_by.offered.by_cookie else None
    return json_reply(
        session_view(known_by.session, current=True, username=known_by.caller.username, csrf=csrf)
    )


async def me(call: Call[Settings]) -> Reply:
    return json_reply(account_view(await account(call.env, (await known(call)).caller)))


async def sessions(call: Call[Settings]) -> Reply:
    """Everybody's for those who may list them, otherwise one's own; live ones unless asked."""
    caller = (await known(call)).caller
    asked = query_as(call, shapes.ListQuery)
    may_list = Permission.SESSION_LIST_OTHERS in caller.role.permissions
    subject = SubjectId(asked.subject) if asked.subject else None if may_list else caller.subject
    query = SessionQuery(
        live_at=call.env.clock.now() if asked.live else None,
        subject=subject,
        dialect=DialectName(asked.dialect) if asked.dialect else None,
        kind=Kind(asked.kind) if asked.kind else None,
        address=asked.address,
        text=asked.text,
        before=None if asked.before is None else Serial(asked.before),
        limit=asked.limit,
    )
    page = await list_sessions(call.env, caller, query)
    names = {caller.subject: caller.username}
    if may_list:
        owners = await accounts_of(call.env, caller, (row.subject for row in page.sessions))
        names |= {owner.id: owner.username for owner in owners.values()}
    own = caller.session.id if caller.session else None
    shown = tuple(
        session_view(row, current=row.id == own, username=names.get(row.subject))
        for row in page.sessions
    )
    return json_reply(shapes.SessionList(sessions=shown, total=page.total, next=page.next))


async def end_session(call: Call[Settings]) -> Reply:
    known_by = await known(call, changes=Action.LOGOUT)
    return await _end(call, known_by, OneSession(session=SessionId(call.segments["id"])), "")


async def log_out(call: Call[Settings]) -> Reply:
    """Without a body: the session the call is made with."""
    known_by = await known(call, changes=Action.LOGOUT)
    asked = json_as(call, shapes.Logout, optional=True)
    if asked.preview is None:
        if asked.start is not None:
            raise Invalid("start", "goes with a preview alone")
        scope = _scope(known_by, asked.scope or shapes.SelfScope())
        return await _end(call, known_by, scope, asked.reason)
    if asked.scope is not None:
        raise Invalid("scope", "does not go with a preview")
    reply, done = await end_previewed(call, known_by, asked, asked.preview)
    return _cleared(reply, known_by, done.revocation.scope) if done else reply


async def _end(call: Call[Settings], known_by: Known, scope: Scope, reason: str) -> Reply:
    done = await logout(call.env, known_by.caller, scope, reason)
    return _cleared(json_reply(receipt_view(done.receipt)), known_by, scope)


def _cleared(reply: Reply, known_by: Known, scope: Scope) -> Reply:
    """A browser forgets what is left of a session that has just ended."""
    if not covers(scope, known_by.session):
        return reply
    reply = reply.plus(CLEAR_SITE_DATA)
    return reply.plus(clear_cookie(COOKIE, secure=True)) if known_by.offered.by_cookie else reply


def _scope(known_by: Known, asked: shapes.AnyScope) -> Scope:
    own = known_by.session.id
    match asked:
        case shapes.SelfScope():
            return OneSession(session=own)
        case shapes.SessionScope(session=one):
            return OneSession(session=SessionId(one))
        case shapes.SubjectScope(subject=subject, dialect=dialect):
            limit = DialectName(dialect) if dialect else None
            return OfSubject(subject=SubjectId(subject), dialect=limit)
        case shapes.OthersScope():
            return OfSubject(subject=known_by.caller.subject, keep=own)
        case shapes.DialectScope(dialect=dialect):
            return OfDialect(dialect=DialectName(dialect))
        case shapes.TenantScope(keep_own=keep_own):
            return OfTenant(keep=own if keep_own else None)
