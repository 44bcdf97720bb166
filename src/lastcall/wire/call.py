"""The call: one request as a dialect sees it, with its settings and its limits."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from starlette.requests import cookie_parser

from lastcall.domain.errors import AuthorityError, Invalid
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, TenantId
from lastcall.ports import Env
from lastcall.wire.reply import Holder

S = TypeVar("S", bound="DialectSettings")


class DialectSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of `[dialects.NAME]` that every dialect has; each adds its vendor's own names."""

    enabled: bool = True
    host: str = ""
    """Answer only requests for this host name, and then own every path there."""
    tenant: str = "default"
    """Whose accounts it serves, for hosts that no tenant claims."""
    joins: tuple[str, ...] = ()
    """Applications that every session begun here joins, by name."""

    @property
    def longest_life(self) -> int:
        """The longest a token of this wire can count, in milliseconds; 0 when it has none.

        Tombstones are kept longer than that, so each dialect with a lifetime says so here.
        """
        return 0

    @property
    def tenants_named(self) -> tuple[str, ...]:
        """The tenants this section speaks of besides `tenant`; all of them must exist."""
        return ()


class Limiter(Protocol):
    """Counts calls per key in fixed windows."""

    def hit(self, key: str, limit: int, window: int) -> "Hit":
        """Count one call; `window` in milliseconds."""
        ...


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """`reset` is when the window ends, in milliseconds since the epoch."""

    allowed: bool
    remaining: int
    reset: int


class Places(Protocol):
    """Bounds what is kept open: streams, and requests that wait for something to happen."""

    def held(self, holder: Holder) -> AbstractContextManager[None]:
        """Take one more place for a block. Raises `Busy` when the holder has enough."""
        ...


class TooLarge(Invalid):
    """The body is longer than the server reads (413)."""

    code = "too-large"

    def __init__(self) -> None:
        super().__init__("body", "is too large")


class TooSlow(Invalid):
    """The body did not arrive in time (408)."""

    code = "too-slow"

    def __init__(self) -> None:
        super().__init__("body", "did not arrive in time")


class Trail(msgspec.Struct):
    """What became of a call, for logs and figures: the route it matched and the refusal it met.

    `route` is the pattern, never the path, so that it is safe to print and bounded in number.
    `check` says that it only checks a token.
    """

    route: str = ""
    check: bool = False
    refused: AuthorityError | None = None


class Call(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """One request, as a dialect sees it.

    `path` is percent-decoded, `query` still raw. Header names are lower case. `address` and
    `port` are the client's; `tenant_by_host` says that the host name alone chose the tenant.
    """

    env: Env
    settings: S
    tenant: TenantId
    dialect: DialectName
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    body: bytes = b""
    address: str = ""
    port: int = 0
    scheme: str = "http"
    host: str = ""
    public_url: str = ""
    request_id: str = ""
    limiter: Limiter
    places: Places | None = None
    segments: Mapping[str, str] = msgspec.field(default_factory=dict)
    allow: tuple[str, ...] = ()
    facts: Mapping[str, Any] = msgspec.field(default_factory=dict)
    tenant_by_host: bool = False
    trail: Trail = msgspec.field(default_factory=Trail)

    def waiting(self, holder: Holder) -> AbstractContextManager[None]:
        """For a block that waits long. Raises `Busy` when the holder has too many of them."""
        return nullcontext() if self.places is None else self.places.held(holder)

    def header(self, name: str) -> str | None:
        """The only value of a header; None when absent. Raises `Invalid` when it is repeated."""
        values = self.headers.get(name.lower(), ())
        if len(values) > 1:
            raise Invalid(name, "must not be repeated")
        return values[0] if values else None

    @property
    def origin(self) -> Origin:
        agents = self.headers.get("user-agent", ())
        return Origin(
            dialect=self.dialect,
            address=self.address,
            port=self.port,
            host=self.host,
            user_agent=agents[0][:512] if agents else "",
            request_id=self.request_id,
        )

    def cookie(self, name: str) -> str | None:
        """The last cookie of that name, as Starlette reads cookies; None when not offered."""
        jar = cookie_parser("; ".join(self.headers.get("cookie", ())))
        return jar.get(name)

    def with_(self, **changes: Any) -> "Call[S]":
        return msgspec.structs.replace(self, **changes)
