"""The logout for people: `/logout` ends the session whatever happens next, then leads on."""

from contextlib import suppress

from lastcall.authority.logout import logout
from lastcall.dialects.elvis.pages import page
from lastcall.dialects.elvis.presented import (
    COOKIE,
    brought_along,
    caller_of_token,
    callers_to_end,
    clear_cookie,
)
from lastcall.dialects.elvis.settings import Settings, is_logout
from lastcall.dialects.elvis.targets import read_origin, read_target
from lastcall.domain.errors import Invalid, NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.wire import Call, Reply, form, pairs

PARAMETER = "logoutSuccessUrl"


async def log_out_and_lead_on(call: Call[Settings]) -> Reply:
    """End what is presented, forget the cookie, redirect or ask. A store that fails is told.

    A request that another origin slipped in ends nothing and forgets nothing: without its cookie
    the browser would be logged out while the session lived on.
    """
    if _is_looking_ahead(call):
        return Reply(status=503)
    for caller in await callers_to_end(call):
        if caller.session is not None:
            with suppress(NotAuthenticated):  # ended by another request in the meantime
                await logout(call.env, caller, OneSession(session=caller.session.id))
    if brought_along(call):
        return _to(call.settings.landing)
    reply = _onward(call)
    return reply.plus(clear_cookie(call)) if call.cookie(COOKIE) is not None else reply


def _is_looking_ahead(call: Call[Settings]) -> bool:
    """A browser fetching what the person may click on next must not log them out."""
    marks = (*call.headers.get("sec-purpose", ()), *call.headers.get("purpose", ()))
    return any("prefetch" in mark.lower() for mark in marks)


def _onward(call: Call[Settings]) -> Reply:
    try:
        wanted = [value for name, value in (*pairs(call.query), *form(call)) if name == PARAMETER]
    except Invalid:
        return page(call, "nowhere.html")
    if not any(wanted):
        return _to(call.settings.landing)
    target = read_target(wanted[0], read_origin(call.public_url) or "")
    if target is None or len(wanted) > 1:
        return page(call, "nowhere.html")
    if not target.origin:
        return _to(call.settings.landing if is_logout(target.path) else str(target))
    if target.origin in call.settings.redirect_origins:
        return _to(str(target))
    host = target.origin.partition("://")[2]
    return page(call, "elsewhere.html", address=str(target), host=host)


def _to(location: str) -> Reply:
    return Reply(status=302, headers=(("Location", location),))


async def show_landing(call: Call[Settings]) -> Reply:
    """Where a logout leads by default. It looks before it says that somebody is logged out."""
    username = ""
    with suppress(NotAuthenticated, Invalid):
        username = (await caller_of_token(call, counts_as_use=False)).username
    return page(call, "landing.html", username=username)
