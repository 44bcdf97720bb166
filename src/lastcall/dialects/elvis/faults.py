"""How Elvis says no: the JSON error body, and a page where a person is looking."""

from collections.abc import Mapping

import msgspec

from lastcall.dialects.elvis.pages import page
from lastcall.dialects.elvis.presented import COOKIE, AnotherSite, clear_cookie
from lastcall.dialects.elvis.settings import Settings, is_logout
from lastcall.domain.errors import (
    AuthorityError,
    Busy,
    Denied,
    Invalid,
    NotAuthenticated,
    StoreUnavailable,
)
from lastcall.wire import Call, Reply, TooLarge, TooSlow, retry_after

JSON = "application/json;charset=utf-8"

NAMES: Mapping[int, str] = {
    400: "IllegalArgumentException",
    401: "AuthenticationCredentialsNotFoundException",
    404: "NoSuchServiceException",
    405: "HttpRequestMethodNotSupportedException",
    408: "RequestTimeoutException",
    413: "MaxUploadSizeExceededException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def fault(status: int, message: str, name: str = "") -> Reply:
    """Clients read `errorcode` and the status alike, so the two are always the same number."""
    body = {"errorname": name or NAMES[status], "message": message, "errorcode": status}
    return Reply(status=status, body=msgspec.json.encode(body), headers=(("Content-Type", JSON),))


def refuse(call: Call[Settings], error: AuthorityError) -> Reply:
    if is_logout(call.path) and not isinstance(error, TooLarge | TooSlow):
        return page(call, "failed.html", status=503).plus(("Retry-After", "1"))
    match error:
        case TooLarge():
            return fault(413, "The request body is too large")
        case TooSlow():
            return fault(408, "The request body did not arrive in time")
        case Invalid(field=field, problem=problem):
            return fault(400, f"{field} {problem}")
        case NotAuthenticated():
            reply = fault(401, "Not logged in")
            dead = call.cookie(COOKIE) is not None and "authorization" not in call.headers
            return reply.plus(clear_cookie(call)) if dead else reply
        case AnotherSite():
            return fault(403, "Requests from other sites are refused", "AccessDeniedException")
        case Denied():
            return fault(
                call.settings.csrf_status,
                "Invalid or missing CSRF token",
                "InvalidCsrfTokenException",
            )
        case Busy():
            return fault(503, "The server is busy, try again").plus(*retry_after(error))
        case StoreUnavailable():
            return fault(503, "The server cannot answer now, try again").plus(("Retry-After", "1"))
        case _:
            return fault(500, "The server failed to answer")


async def unknown(call: Call[Settings]) -> Reply:
    if not call.allow:
        return fault(404, "No such service")
    reply = fault(405, f"Request method '{call.method}' not supported")
    return reply.plus(("Allow", ", ".join(call.allow)))
