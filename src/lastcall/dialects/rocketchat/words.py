"""How Rocket.Chat says yes and no: one superset body for what its generations send."""

from typing import Any

from lastcall.dialects.rocketchat.settings import Settings
from lastcall.domain.errors import (
    AuthorityError,
    Busy,
    Conflict,
    Denied,
    Invalid,
    LockedOut,
    NotAuthenticated,
    NotFound,
    SecondFactorExhausted,
    SecondFactorInvalid,
    SecondFactorRequired,
    StoreUnavailable,
)
from lastcall.domain.factor import Method
from lastcall.wire import Call, Reply, TooLarge, TooSlow, iso_time, json_reply, retry_after

LOGIN = "/api/v1/login"
USERS_LOGOUT = "/api/v1/users.logout"

NOT_LOGGED_IN = "You must be logged in to do this."
NOT_PERMITTED = "User does not have the permissions required for this action [error-unauthorized]"
UNAVAILABLE = "Service unavailable, try again"
NO_ENDPOINT = "API endpoint does not exist"

HEADERS = "rocketchat-headers"
"""The call's fact that collects headers for whatever is answered."""


class Failure(AuthorityError):
    """A refusal that only this wire knows: `reason` in its words, `kind` its error type."""

    code = "invalid"

    def __init__(self, reason: str, kind: str = "", **details: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.details = details


class TooMany(AuthorityError):
    """The rate limit of one address on one route; `wait` in seconds."""

    code = "rate-limited"

    def __init__(self, wait: int) -> None:
        super().__init__("too many requests")
        self.wait = wait


def success(**members: object) -> Reply:
    return json_reply({**members, "success": True})


def failed(reason: str, kind: str = "", details: object = None, status: int = 400) -> Reply:
    """What the vendor makes of a thrown error: reason and code in one text, and the code alone."""
    body: dict[str, object] = {"success": False, "error": f"{reason} [{kind}]" if kind else reason}
    if kind:
        body["errorType"] = kind
    if details:
        body["details"] = details
    return json_reply(body, status)


def bare(status: int, error: str) -> Reply:
    return json_reply({"success": False, "error": error}, status)


def doubled(status: int, message: str) -> Reply:
    """Both the words of the 6.x server and those of its successors."""
    body = {"status": "error", "message": message, "success": False, "error": message}
    return json_reply(body, status)


SECOND_FACTOR = {
    SecondFactorRequired: ("TOTP Required", "totp-required"),
    SecondFactorInvalid: ("TOTP Invalid", "totp-invalid"),
    SecondFactorExhausted: ("TOTP Maximun Failed Attempts Reached", "totp-max-attempts"),
}


def refuse(call: Call[Any], error: AuthorityError) -> Reply:
    said = _refuse_login(error) if call.trail.route == LOGIN else None
    if said is not None:
        return said
    match error:
        case NotAuthenticated():
            return doubled(401, NOT_LOGGED_IN)
        case Denied():
            return bare(403, "unauthorized" if call.trail.route == USERS_LOGOUT else NOT_PERMITTED)
        case NotFound():
            return bare(404, "Session not found")
        case SecondFactorRequired():
            reason, kind = SECOND_FACTOR[type(error)]
            return failed(reason, kind, factor_details(error, error.address))
        case Failure():
            return failed(error.reason, error.kind, error.details)
        case Invalid():
            status = (
                413 if isinstance(error, TooLarge) else 408 if isinstance(error, TooSlow) else 400
            )
            return failed(f"{error.field} {error.problem}", "invalid-params", status=status)
        case _:
            return _refuse_overload(error)


def _refuse_overload(error: AuthorityError) -> Reply:
    match error:
        case TooMany():
            return bare(429, _slow_down(error.wait))
        case Busy():
            return bare(503, UNAVAILABLE).plus(*retry_after(error))
        case StoreUnavailable():
            return bare(503, UNAVAILABLE)
        case _:
            return bare(500, "Internal server error")


def _refuse_login(error: AuthorityError) -> Reply | None:
    """Login has a body of its own; None for what is said alike everywhere."""
    match error:
        case SecondFactorRequired():
            message, code = SECOND_FACTOR[type(error)]
            return _login_failed(code, message, factor_details(error, error.username))
        case LockedOut(by="address"):
            return _login_failed(
                "error-login-blocked-for-ip", "Login has been temporarily blocked For IP"
            )
        case LockedOut():
            return _login_failed(
                "error-login-blocked-for-user", "Login has been temporarily blocked For User"
            )
        case Conflict():
            return _login_failed("error-too-many-sessions", "Too many sessions are live")
        case TooMany() | TooLarge() | TooSlow() | Busy() | StoreUnavailable():
            return None
        case _ if type(error) is AuthorityError:
            return None
        case _:
            return _login_failed("Unauthorized", "Unauthorized")


def _login_failed(code: str, message: str, details: object = None) -> Reply:
    body: dict[str, object] = {"success": False, "status": "error", "error": code}
    if details:
        body["details"] = details
    return json_reply({**body, "message": message}, 401)


def factor_details(error: SecondFactorRequired, whom: str) -> dict[str, object]:
    """`whom` is the user name at login, the address of the mailed code within a session."""
    details: dict[str, object] = {"method": error.method, "codeGenerated": error.sent}
    if error.method == Method.EMAIL and error.sent:
        details["emailOrUsername"] = whom
    elif error.method == Method.EMAIL:
        details = {"method": error.method, "emailOrUsername": whom, "codeGenerated": False}
        if error.code_expires is not None:
            details["codeExpires"] = iso_time(error.code_expires)
    details["availableMethods"] = list(error.available)
    return details


def _slow_down(wait: int) -> str:
    return (
        "Error, too many requests. Please slow down. "
        f"You must wait {wait} seconds before trying this endpoint again. "
        "[error-too-many-requests]"
    )


async def unknown(call: Call[Settings]) -> Reply:
    if call.allow:
        return doubled(405, NO_ENDPOINT).plus(("Allow", ", ".join(call.allow)))
    return doubled(404, NO_ENDPOINT)


def enter(call: Call[Settings]) -> Call[Settings]:
    return call.with_(facts={**call.facts, HEADERS: []})


def leave(call: Call[Settings], reply: Reply) -> Reply:
    return reply.plus(
        ("Cache-Control", "no-store"), ("Pragma", "no-cache"), *call.facts.get(HEADERS, ())
    )
