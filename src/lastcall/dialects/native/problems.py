"""The native API's refusals: RFC 9457 problems whose types do not change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lastcall.dialects.native.settings import Settings
from lastcall.dialects.native.shapes import Problem
from lastcall.domain.errors import (
    AuthorityError,
    BadCredentials,
    Busy,
    Invalid,
    LockedOut,
    NotAuthenticated,
    SecondFactorRequired,
    StoreUnavailable,
)
from lastcall.wire import Call, Reply, bearer, clear_cookie, iso_time, json_reply, whole_seconds

COOKIE = "__Host-lastcall"
REALM = 'realm="lastcall"'
INVALID_TOKEN = f'Bearer {REALM}, error="invalid_token"'
MEDIA_TYPE = "application/problem+json"
POSITION = "Lastcall-Position"
"""How far on the feed a caller has come, and how far at least an answer has."""

REMAINING = "Lastcall-Remaining"
"""Milliseconds that an answer counts for unless the feed says otherwise."""


class CsrfRefused(AuthorityError):
    """A change asked for with the cookie alone, or from another site."""

    code = "csrf"


class WrongMediaType(AuthorityError):
    """The body is not of the type this route reads."""

    code = "unsupported-media-type"


class MethodNotAllowed(AuthorityError):
    """The path is known, the method is not one of its own."""

    code = "method-not-allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class BadService(AuthorityError):
    """Whoever introspects is not one of the services."""

    code = "bad-service-credentials"


@dataclass(frozen=True, slots=True)
class Kind:
    status: int
    title: str
    meaning: str


CATALOGUE: Mapping[str, Kind] = {
    "invalid": Kind(
        400, "Invalid request", "A part of the request cannot be accepted; `field` names it."
    ),
    "too-slow": Kind(408, "Request timeout", "The body did not arrive in time."),
    "too-large": Kind(413, "Body too large", "The body is longer than the server reads."),
    "unsupported-media-type": Kind(
        415, "Unsupported media type", "The body must be of the type the route documents."
    ),
    "not-authenticated": Kind(
        401,
        "Not authenticated",
        "No live session stands behind what was presented, or nothing was presented.",
    ),
    "bad-credentials": Kind(
        401, "Wrong name or password", "Unknown names, wrong passwords and disabled accounts alike."
    ),
    "bad-service-credentials": Kind(
        401, "Unknown service", "Introspection and the feed are for services that are configured."
    ),
    "second-factor-required": Kind(
        401,
        "Second factor required",
        "Repeat the request with a `code` for `method`, or step up first.",
    ),
    "second-factor-invalid": Kind(
        401, "Wrong code", "The code was wrong, used before, or too old."
    ),
    "second-factor-exhausted": Kind(
        401, "Too many wrong codes", "Wait before the next code, or ask for a new one."
    ),
    "csrf": Kind(
        403,
        "Cross-site request refused",
        "With the cookie, a change needs the session's `X-CSRF-Token`, sent from this site.",
    ),
    "denied": Kind(
        403, "Not allowed", "The session is known, and may not do this; or there is no such target."
    ),
    "not-found": Kind(404, "Not found", "No such thing, or none the caller may know of."),
    "method-not-allowed": Kind(405, "Method not allowed", "`Allow` lists the methods there are."),
    "conflict": Kind(
        409,
        "Conflict",
        "A cap refuses a further session, the name is taken, the idempotency key was used for"
        " something else, or the state of the thing does not allow it.",
    ),
    "unfinished": Kind(
        409, "Not finished", "The receipt still changes; only a finished one is signed."
    ),
    "superseded": Kind(
        409, "Overtaken", "A logout or a change of the account came between; log in again."
    ),
    "locked-out": Kind(
        429, "Locked out", "Too many failures; wait `retry_after` seconds and try again."
    ),
    "busy": Kind(
        503, "Busy", "Too much of this kind is waiting; try again in `retry_after` seconds."
    ),
    "store-unavailable": Kind(
        503, "Store unavailable", "Nothing is known about the outcome; repeating is safe."
    ),
    "error": Kind(500, "Internal error", "Unforeseen; the request id leads to the log."),
}

OAUTH_ERRORS = {
    "invalid": "invalid_request",
    "bad-service-credentials": "invalid_client",
    "unsupported-media-type": "invalid_request",
}
"""RFC 6749 5.2, for introspection's callers."""


def type_of(code: str) -> str:
    """Relative: it leads to this server's own description of it."""
    return f"/problems/{code}"


def refuse(call: Call[Settings], error: AuthorityError) -> Reply:
    code = _code(error)
    kind = CATALOGUE[code]
    body: dict[str, Any] = {
        "type": type_of(code),
        "title": kind.title,
        "status": kind.status,
        "code": code,
        "request_id": call.request_id,
    }
    body |= _members(error)
    headers: list[tuple[str, str]] = []
    if isinstance(error, MethodNotAllowed):
        headers.append(("Allow", ", ".join(error.allowed)))
    if call.path == "/v1/introspect" and code in OAUTH_ERRORS:
        body["error"] = OAUTH_ERRORS[code]
    if "retry_after" in body:
        headers.append(("Retry-After", str(body["retry_after"])))
    if kind.status == 401:
        headers.append(("WWW-Authenticate", _challenge(call, error)))
    if isinstance(error, NotAuthenticated) and call.cookie(COOKIE) is not None:
        headers.append(clear_cookie(COOKIE, secure=True))
    reply = json_reply(Problem(**body), kind.status, content_type=MEDIA_TYPE)
    return reply.plus(*headers)


def token_refused(request_id: str) -> Reply:
    """What `refuse` says to a bearer token that does not count, where no cookie is offered."""
    code = NotAuthenticated.code
    kind = CATALOGUE[code]
    problem = Problem(
        type=type_of(code), title=kind.title, status=kind.status, code=code, request_id=request_id
    )
    challenge = ("WWW-Authenticate", INVALID_TOKEN)
    return json_reply(problem, kind.status, content_type=MEDIA_TYPE).plus(challenge)


def _code(error: AuthorityError) -> str:
    """The code of the nearest kind of refusal that is in the catalogue."""
    codes = (getattr(kind, "code", "") for kind in type(error).__mro__)
    return next(code for code in codes if code in CATALOGUE)


def _members(error: AuthorityError) -> dict[str, Any]:
    """What a problem tells beyond its kind."""
    match error:
        case Invalid(field=field, problem=problem):
            return {"field": field, "detail": f"{field} {problem}"}
        case BadCredentials(attempts_left=left):
            return {"attempts_left": left}
        case LockedOut(retry_after=wait) | Busy(retry_after=wait):
            return {"retry_after": whole_seconds(wait)}
        case StoreUnavailable():
            return {"retry_after": 1}
        case SecondFactorRequired(method=method, available=methods, code_expires=expires):
            return {
                "method": method,
                "methods": methods,
                "sent": error.sent or None,
                "code_expires": None if expires is None else iso_time(expires),
            }
        case _:
            return {}


def _challenge(call: Call[Settings], error: AuthorityError) -> str:
    """RFC 6750 3, RFC 9470 3 for a step-up, RFC 6749 5.2 for a service."""
    if isinstance(error, BadService):
        return f"Basic {REALM}"
    if isinstance(error, SecondFactorRequired):
        return f'Bearer {REALM}, error="insufficient_user_authentication"'
    offered = isinstance(error, NotAuthenticated) and _offers_bearer(call)
    return INVALID_TOKEN if offered else f"Bearer {REALM}"


def _offers_bearer(call: Call[Settings]) -> bool:
    try:
        return bearer(call) is not None
    except Invalid:
        return True
