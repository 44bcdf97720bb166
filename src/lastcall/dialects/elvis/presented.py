"""What a request brings to be recognised by: the bearer, the cookie, the token against forgery."""

from contextlib import suppress

from lastcall.authority.validate import validate
from lastcall.dialects.elvis.settings import Settings
from lastcall.domain.access import Caller
from lastcall.domain.errors import Denied, Invalid, NotAuthenticated
from lastcall.domain.token import derive, same
from lastcall.domain.types import Kind
from lastcall.wire import Call, bearer, cross_site

COOKIE = "authToken"


class AnotherSite(Denied):
    """The browser was made to ask by a page of another site."""


def csrf_token(token: str) -> str:
    """22 characters that go with one login's token and die with it."""
    return derive(token, "elvis X-CSRF-TOKEN")


def set_cookie(call: Call[Settings], token: str) -> tuple[str, str]:
    """The vendor's spelling first; what it lacks against other sites' requests after it."""
    return ("Set-Cookie", f"{COOKIE}={token};Path=/;HttpOnly{_guards(call)}")


def clear_cookie(call: Call[Settings]) -> tuple[str, str]:
    return ("Set-Cookie", f"{COOKIE}=;Path=/;Max-Age=0;HttpOnly{_guards(call)}")


def _guards(call: Call[Settings]) -> str:
    secure = "https" in (call.scheme, call.public_url.partition(":")[0])
    return ";SameSite=Lax" + (";Secure" if secure else "")


def token_of(call: Call[Settings]) -> tuple[str | None, bool]:
    """The token offered, and whether a browser may have added it by itself.

    A bearer goes before a cookie. Raises `Invalid` for an empty or unreadable bearer.
    """
    token = bearer(call)
    return (call.cookie(COOKIE), True) if token is None else (token, False)


async def caller_of_token(call: Call[Settings], *, counts_as_use: bool = True) -> Caller:
    token, _ = token_of(call)
    if not token:
        raise NotAuthenticated("no token")
    return await validate(call.env, call.tenant, token, call.origin, counts_as_use=counts_as_use)


def require_own_will(call: Call[Settings], caller: Caller) -> None:
    """Refuse a change another site may have brought about; raises `Denied`.

    The duty to send X-CSRF-TOKEN goes with the kind of login, however its token is carried: a
    login owes it, an apilogin does not. The header counts once, and only as a header.
    """
    token, by_browser = token_of(call)
    if by_browser and cross_site(call):
        raise AnotherSite("logout")
    if caller.session is None or caller.session.kind is not Kind.BROWSER:
        return
    given = call.headers.get("x-csrf-token", ())
    if len(given) != 1 or not same(given[0], csrf_token(token or "")):
        raise Denied("missing or wrong X-CSRF-TOKEN")


def brought_along(call: Call[Settings]) -> bool:
    """Whether another origin had the browser ask behind the person's back.

    Another origin may take the person here, by a link or a script that changes the page's
    address: that is what the logout that redirects is for. It may not embed the address, fetch it
    or post to it.
    """
    site = next(iter(call.headers.get("sec-fetch-site", ())), "")
    if site in ("same-origin", "none"):
        return False
    if site:
        mode = call.headers.get("sec-fetch-mode", ())
        goal = call.headers.get("sec-fetch-dest", ())
        return (call.method, mode, goal) != ("GET", ("navigate",), ("document",))
    return cross_site(call)


async def callers_to_end(call: Call[Settings]) -> list[Caller]:
    """Everyone a call for the logout that redirects may speak for; bad tokens are nobody."""
    offered: list[str | None] = []
    with suppress(Invalid):
        offered.append(bearer(call))
    if not brought_along(call):
        offered.append(call.cookie(COOKIE))
    found = []
    for token in dict.fromkeys(filter(None, offered)):
        with suppress(NotAuthenticated):
            found.append(await validate(call.env, call.tenant, token, call.origin))
    return found
