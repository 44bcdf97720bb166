"""The reply: what goes back, and the bodies and headers that every wire has."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from lastcall.domain.errors import AuthorityError, Busy, LockedOut
from lastcall.domain.types import Duration


@dataclass(frozen=True, slots=True)
class Holder:
    """Who keeps a stream open. People and services have bounds apart: neither starves the other."""

    kind: Literal["account", "service"]
    name: str


NOBODY = Holder("account", "")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back. Header names and values must not hold control characters.

    A `stream` follows the body, piece by piece, for as long as it lasts; it raises nothing, and
    is closed when the other side leaves or the server stops. It counts against its `holder`.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncIterator[bytes] | None = None
    holder: Holder = NOBODY

    def plus(self, *headers: tuple[str, str]) -> "Reply":
        return self.with_(headers=(*self.headers, *headers))

    def with_(self, **changes: Any) -> "Reply":
        return msgspec.structs.replace(self, **changes)


def json_reply(
    value: object, status: int = 200, *, content_type: str = "application/json"
) -> Reply:
    """Compact JSON, keys in the order given."""
    return Reply(
        status=status, body=msgspec.json.encode(value), headers=(("Content-Type", content_type),)
    )


def set_cookie(
    name: str,
    value: str,
    *,
    path: str = "/",
    max_age: int | None = None,
    secure: bool = False,
    http_only: bool = True,
    same_site: str = "Lax",
) -> tuple[str, str]:
    """A `Set-Cookie` header; the value must be cookie-safe already. `max_age` in seconds."""
    parts = [f"{name}={value}", f"Path={path}"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    if same_site:
        parts.append(f"SameSite={same_site}")
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    return ("Set-Cookie", "; ".join(parts))


def clear_cookie(
    name: str, *, path: str = "/", secure: bool = False, same_site: str = "Lax"
) -> tuple[str, str]:
    return set_cookie(name, "", path=path, max_age=0, secure=secure, same_site=same_site)


def retry_after(error: AuthorityError) -> tuple[tuple[str, str], ...]:
    """The header of a refusal that says how long to wait (RFC 9110, 10.2.3); none for others."""
    if isinstance(error, LockedOut | Busy):
        return (("Retry-After", str(whole_seconds(error.retry_after))),)
    return ()


def whole_seconds(wait: Duration) -> int:
    """Rounded up, so that nobody comes back too early; one at least."""
    return max(1, -(-wait // 1_000))
