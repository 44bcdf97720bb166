"""The envelope: `result`, `data` or `errors`, and the handle; and every refusal's code and text."""

from collections.abc import Mapping
from typing import NamedTuple

from lastcall.dialects.soajs.settings import Settings
from lastcall.domain.errors import (
    AuthorityError,
    BadCredentials,
    Busy,
    Conflict,
    Denied,
    Invalid,
    LockedOut,
    NotAuthenticated,
    NotFound,
    SecondFactorRequired,
    StoreUnavailable,
    Superseded,
)
from lastcall.wire import Call, Reply, json_reply, retry_after

SERVICE = "application/json; charset=utf-8"
GATEWAY = "application/json"

PASSWORD, USER = "Problem with the provided password", "Unable to log in the user. User not found."

TEXTS: Mapping[int, str] = {
    130: "Unknown service.",
    132: "A valid key is needed to access any API.",
    133: "The service you are trying to reach is not reachable at this moment.",
    134: "All requests to the service you are trying to reach are timing out.",
    150: "Something blew up @ service core!",
    151: "You are trying to reach an unknown rest service!",
    153: "Unable to load provision information for the provided key.",
    161: "You need to be logged in to access this API.",
    162: "Unable to initialize the multi tenant session.",
    163: "Error in persisting the session",
    164: "Unknown error @ rest core!",
    405: "Unable to find User. Please try again.",
    406: "Missing Tenant secret",
}
CODES: Mapping[type[AuthorityError], int] = {
    NotAuthenticated: 161,
    NotFound: 405,
    Denied: 405,
    Conflict: 162,
    Superseded: 162,
    Busy: 134,
    StoreUnavailable: 163,
    Invalid: 164,
    AuthorityError: 150,
}
CORE = frozenset({150, 153, 161, 162, 163, 164})
"""Said with HTTP 500; all others with HTTP 200."""


class Fault(NamedTuple):
    code: int
    message: str


class Said(AuthorityError):
    """A refusal that has the vendor's words already. Without a `status`, its codes decide."""

    code = "refused"

    def __init__(
        self, *faults: Fault, status: int = 0, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(", ".join(str(fault.code) for fault in faults))
        self.faults = faults
        self.status = status
        self.headers = headers


def said(code: int, *, status: int = 0) -> Said:
    return Said(Fault(code, TEXTS[code]), status=status)


def success(data: object, handle: str = "") -> Reply:
    return _with_handle({"result": True, "data": data}, 200, SERVICE, handle)


def failure(faults: tuple[Fault, ...], status: int, content_type: str, handle: str = "") -> Reply:
    details = [{"code": fault.code, "message": fault.message} for fault in faults]
    codes = sorted({fault.code for fault in faults}, key=str)
    body: dict[str, object] = {"result": False, "errors": {"codes": codes, "details": details}}
    return _with_handle(body, status, content_type, handle)


def _with_handle(body: dict[str, object], status: int, content_type: str, handle: str) -> Reply:
    if not handle:
        return json_reply(body, status, content_type=content_type)
    reply = json_reply({**body, "soajsauth": handle}, status, content_type=content_type)
    return reply.plus(("soajsauth", handle))


def refuse(call: Call[Settings], error: AuthorityError, handle: str = "") -> Reply:
    """The gateway's and the service core's refusals carry no handle, whoever asks."""
    if isinstance(error.__cause__, AuthorityError):
        call.trail.refused = error.__cause__
    refusal = error if isinstance(error, Said) else Said(fault_of(call, error))
    codes = {fault.code for fault in refusal.faults}
    gateway = all(code < 140 for code in codes)
    status = refusal.status or (500 if codes & CORE else 200)
    handle = "" if gateway or codes & CORE else handle
    reply = failure(refusal.faults, status, GATEWAY if gateway else SERVICE, handle)
    return reply.plus(*refusal.headers, *retry_after(error))


def fault_of(call: Call[Settings], error: AuthorityError) -> Fault:
    if isinstance(error, BadCredentials | LockedOut | SecondFactorRequired):
        if tells_unknown(call, error):
            return Fault(401, USER)
        return Fault(400, PASSWORD + ("." if call.settings.texts == "server" else ""))
    code = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    return Fault(code, TEXTS[code])


def tells_unknown(call: Call[Settings], error: AuthorityError) -> bool:
    """Whether to say that there is no such user; the house says so only if it is set to."""
    return (
        call.settings.tell_unknown_users and isinstance(error, BadCredentials) and not error.known
    )
