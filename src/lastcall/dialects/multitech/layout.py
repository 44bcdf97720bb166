"""How the device writes its answers: the record of a session, and every refusal."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from lastcall.dialects.multitech.settings import Settings
from lastcall.domain.access import Caller, Rank
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
from lastcall.domain.session import Session
from lastcall.domain.types import Instant, SessionId, SubjectId
from lastcall.wire import Call, Reply, TooLarge, TooSlow, clear_cookie, cross_site, retry_after

LOGOUT = "/api/logout"
MASK = "*" * 30
PERMISSIONS = {Rank.ADMIN: "admin", Rank.ENGINEER: "user", Rank.MONITOR: "guest"}
"""The user interface says administrator, engineer and monitor; the wire says these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Whose record an answer shows."""

    id: SubjectId
    username: str
    rank: Rank


def of_caller(caller: Caller) -> Whom:
    return Whom(id=caller.subject, username=caller.username, rank=caller.role.rank)


def laid_out(status: int, body: Mapping[str, object]) -> Reply:
    """The device's layout: a space on both sides of the colon, which clients match on."""
    text = json.dumps({"code": status, **body}, indent=4, separators=(",", " : "), sort_keys=True)
    return Reply(
        status=status, body=f"{text}\n".encode(), headers=(("Content-Type", "application/json"),)
    )


def success(record: Mapping[str, object]) -> Reply:
    return laid_out(200, {"result": record, "status": "success"})


def failure(status: int, error: str) -> Reply:
    return laid_out(status, {"error": error, "status": "fail"})


def without_cookie(call: Call[Settings], reply: Reply) -> Reply:
    """Nothing another site asks for touches the cookie of the person at the browser."""
    if cross_site(call):
        return reply
    return reply.plus(clear_cookie("token", secure=call.scheme == "https", same_site="Strict"))


def record(whom: Whom, session: Session | None, token: str, now: Instant) -> dict[str, object]:
    """A session as the device shows it; without one, only who it would be of."""
    shown: dict[str, object] = {
        "address": session.address if session else "",
        "isipcuser": False,
        "isremoteuser": False,
        "permission": PERMISSIONS[whom.rank],
        "port": str(session.port) if session else "",
        "timestamp": time_of_day(session.created if session else now),
        "user": whom.username,
    }
    return {**shown, "token": token} if session else shown


def time_of_day(at: Instant) -> str:
    """`2:58:40:389`, in UTC; the hour is not padded."""
    seconds, milliseconds = divmod(at, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours % 24}:{minute:02d}:{second:02d}:{milliseconds:03d}"


def ended_token(session: SessionId) -> str:
    """Stands in for a token only its holder knows: 30 characters, where real ones have 32."""
    return hashlib.sha256(f"ended:{session}".encode()).hexdigest()[:30].upper()


PLAIN: Mapping[type[AuthorityError], tuple[int, str]] = {
    NotAuthenticated: (401, "unauthorized"),
    SecondFactorRequired: (403, "a second factor is required"),
    Denied: (403, "forbidden"),
    NotFound: (404, "not found"),
    Conflict: (409, "conflict, user is already logged in"),
    Superseded: (409, "conflict, login was overtaken by a logout"),
    StoreUnavailable: (503, "unavailable"),
    AuthorityError: (500, "internal error"),
}


def refuse(call: Call[Settings], error: AuthorityError) -> Reply:
    """The only text the vendor gives is the one that counts attempts; the others are ours."""
    match error:
        case BadCredentials(attempts_left=left):
            counted = call.settings.brute_force_prevention.enabled and left is not None
            more = f" {left} attempts remaining." if counted else ""
            return failure(401, f"authorize failed.{more}")
        case LockedOut():
            return failure(401, "authorize failed. 0 attempts remaining.").plus(*retry_after(error))
        case Busy():
            return failure(503, "busy").plus(*retry_after(error))
        case Invalid(field=field, problem=problem):
            status = {TooLarge.code: 413, TooSlow.code: 408}.get(error.code, 400)
            return failure(status, f"{field} {problem}")
        case NotAuthenticated() if call.path == LOGOUT:
            return without_cookie(call, failure(401, "unauthorized"))
        case _:
            return failure(*next(PLAIN[kind] for kind in type(error).__mro__ if kind in PLAIN))


async def unknown(call: Call[Settings]) -> Reply:
    if call.allow:
        return failure(405, "method not allowed").plus(("Allow", ", ".join(call.allow)))
    return failure(404, "not found")
