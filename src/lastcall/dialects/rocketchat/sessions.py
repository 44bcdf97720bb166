"""The sessions calls: listing, looking at and ending the sessions of oneself and of others."""

from lastcall.authority.accounts import accounts_like, accounts_of
from lastcall.authority.logout import logout
from lastcall.authority.sessions import MOST, list_sessions, session_by_id
from lastcall.dialects.rocketchat.documents import document, owner, reordered, row
from lastcall.dialects.rocketchat.login import own_session
from lastcall.dialects.rocketchat.parameters import Listing
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.dialects.rocketchat.words import success
from lastcall.domain.access import Caller
from lastcall.domain.errors import NotFound
from lastcall.domain.logout import OneSession
from lastcall.domain.types import SessionId, SubjectId
from lastcall.ports import Page, SessionQuery
from lastcall.wire import Call, Reply

NAMES_MATCHED = 5
"""How many users a filter may mean by their names, as with the vendor."""


async def list_own(call: Call[Settings], caller: Caller, asked: Listing) -> Reply:
    page = await _page(call, caller, asked, subject=caller.subject)
    current = own_session(caller).id
    rows = (row(session, current=session.id == current) for session in page.sessions)
    return _listed(list(rows), asked, page)


async def list_all(call: Call[Settings], caller: Caller, asked: Listing) -> Reply:
    meant = (
        await accounts_like(call.env, caller, asked.filter, NAMES_MATCHED) if asked.filter else ()
    )
    page = await _page(call, caller, asked, or_subjects=frozenset(one.id for one in meant))
    ids = (session.subject for session in page.sessions)
    owners = await accounts_of(call.env, caller, ids)
    rows = (row(session, **owner(owners.get(session.subject))) for session in page.sessions)
    return _listed(list(rows), asked, page)


async def _page(
    call: Call[Settings],
    caller: Caller,
    asked: Listing,
    subject: SubjectId | None = None,
    or_subjects: frozenset[SubjectId] = frozenset(),
) -> Page:
    """Cut by login time, newest first; a sort reorders what is within."""
    query = SessionQuery(
        live_at=call.env.clock.now(),
        subject=subject,
        dialect=call.dialect if call.settings.reach == "own" else None,
        text=asked.filter,
        or_subjects=or_subjects,
        offset=asked.offset,
        limit=asked.count,
    )
    return await list_sessions(call.env, caller, query)


def _listed(rows: list[dict[str, object]], asked: Listing, page: Page) -> Reply:
    return success(
        sessions=reordered(rows, asked.sort),
        total=page.total,
        count=asked.count,
        offset=asked.offset,
    )


async def own_info(call: Call[Settings], caller: Caller, id: SessionId) -> Reply:
    """Ended ones too."""
    session = await session_by_id(call.env, caller, id)
    return success(**document(session, caller.role.name))


async def info(call: Call[Settings], caller: Caller, id: SessionId) -> Reply:
    """Live ones only, found by the whole id; the vendor searches for parts of it."""
    session = await session_by_id(call.env, caller, id, of_others=True)
    query = SessionQuery(
        live_at=call.env.clock.now(), subject=session.subject, text=session.id, limit=MOST
    )
    page = await list_sessions(call.env, caller, query)
    if all(live.id != session.id for live in page.sessions):
        raise NotFound("has ended")
    owners = await accounts_of(call.env, caller, (session.subject,))
    return success(**row(session, **owner(owners.get(session.subject))))


async def log_out_own(call: Call[Settings], caller: Caller, id: SessionId) -> Reply:
    """One that has ended already is a success again."""
    session = await session_by_id(call.env, caller, id)
    if session.ended is None:
        await logout(call.env, caller, OneSession(session=session.id))
    return success(sessionId=id)


async def log_out_any(call: Call[Settings], caller: Caller, id: SessionId) -> Reply:
    await logout(call.env, caller, OneSession(session=id))
    return success(sessionId=id)
