"""The ways to ask whether a token counts, and those that only look like asking."""

from tests.nodes.asking import Line
from tests.nodes.crowd import Ask, One, by_check
from tests.nodes.house import SERVICE, SERVICE_SECRET, SOAJS_ID, SOAJS_KEY, SOAJS_SECRET, basic


async def by_session(line: Line, one: One) -> bool | None:
    """Counts as a use of the session."""
    reply = await line.ask("GET", "/v1/session", one.token)
    return {200: True, 401: False}.get(reply.status)


async def by_head(line: Line, one: One) -> bool | None:
    reply = await line.ask("HEAD", "/v1/me", one.token)
    return {200: True, 401: False}.get(reply.status)


async def by_introspection(line: Line, one: One) -> bool | None:
    """Does not count as a use of the session."""
    secret = {"Authorization": basic(SERVICE, SERVICE_SECRET)}
    reply = await line.ask("POST", "/v1/introspect", body=f"token={one.token}", headers=secret)
    return bool(reply.json()["active"]) if reply.status == 200 else None


async def without_extension(line: Line, one: One) -> bool | None:
    """What other products let a page that refreshes itself say, so that it does not count."""
    headers = {"X-Graylog-No-Session-Extension": "true", "If-None-Match": "*", "Range": "bytes=0-0"}
    reply = await line.ask("GET", "/v1/check", one.token, headers=headers)
    return {204: True, 401: False}.get(reply.status)


async def by_cookie_jar(line: Line, one: One) -> bool | None:
    """The token in the cookie's place, where it never counts as a browser's."""
    headers = {"Authorization": f"bearer {one.token}", "Cookie": f"__Host-lastcall={one.token}"}
    reply = await line.ask("GET", "/v1/check", headers=headers)
    return {204: True, 401: False}.get(reply.status)


EVERY_WAY: tuple[Ask, ...] = (
    by_check,
    by_session,
    by_head,
    by_introspection,
    without_extension,
    by_cookie_jar,
)

CLIENT = {"key": SOAJS_KEY, "Authorization": basic(SOAJS_ID, SOAJS_SECRET)}
"""What the oauth calls of the SOAJS wire ask of an application."""
