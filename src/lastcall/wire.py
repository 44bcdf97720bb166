"""What every inbound wire is made of: the call, the reply, the route table, and parsing helpers.

A dialect knows nothing of sockets or of the web framework: `http` turns a request into a `Call`,
finds the dialect's handler and sends its `Reply`, and so can a test or another server.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError
from starlette.requests import cookie_parser

from lastcall.domain.errors import AuthorityError, Invalid
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, TenantId
from lastcall.domain.types import iso_time as iso_time
from lastcall.ports import Env

S = TypeVar("S", bound="DialectSettings")

MAX_PARAMETERS = 200
"""More form or query fields than this in one request are refused."""

Pairs = Sequence[tuple[str, str]]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """`reset` is when the window ends, in milliseconds since the epoch."""

    allowed: bool
    remaining: int
    reset: int


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


@dataclass(slots=True)
class Trail:
    """What became of a call, for logs and figures: the route it matched and the refusal it met.

    `route` is the pattern, never the path, so that it is safe to print and bounded in number.
    """

    route: str = ""
    refused: AuthorityError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[S]):
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
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""
    address: str = ""
    port: int = 0
    scheme: str = "http"
    host: str = ""
    public_url: str = ""
    request_id: str = ""
    limiter: Limiter
    segments: Mapping[str, str] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    tenant_by_host: bool = False
    trail: Trail = field(default_factory=Trail)

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
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back. Header names and values must not hold control characters.

    A `stream` follows the body, piece by piece, for as long as it lasts; it raises nothing, and
    is closed when the other side leaves or the server stops.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncIterator[bytes] | None = None

    def plus(self, *headers: tuple[str, str]) -> "Reply":
        return replace(self, headers=(*self.headers, *headers))


Handler = Callable[[Call[S]], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route(Generic[S]):
    """`methods` as a comma list, a path that may hold `{name}` segments, and who answers."""

    methods: str
    path: str
    handler: Handler[S]

    @property
    def allowed(self) -> tuple[str, ...]:
        return tuple(self.methods.split(","))


def _enter(call: Call[S]) -> Call[S]:
    return call


def _leave(_call: Call[S], reply: Reply) -> Reply:
    return reply


@dataclass(frozen=True, kw_only=True)
class Dialect(Generic[S]):
    """One inbound wire: its routes, its settings, and how it says no.

    `enter` sees a call before routing and may rewrite its method and path, or answer it at once.
    `unknown` answers paths that match no route, and wrong methods (then `call.allow` is filled).
    `refuse` says any `AuthorityError` in the vendor's words; an unforeseen failure reaches it as
    a bare `AuthorityError`. `leave` may add headers to whatever is answered.
    """

    name: DialectName
    settings: type[S]
    prefixes: tuple[str, ...]
    routes: tuple[Route[S], ...]
    refuse: Callable[[Call[S], AuthorityError], Reply]
    unknown: Handler[S]
    enter: Callable[[Call[S]], Call[S] | Reply] = _enter
    leave: Callable[[Call[S], Reply], Reply] = _leave
    fold_case: bool = False

    @cached_property
    def _table(self) -> tuple[tuple[Route[S], re.Pattern[str]], ...]:
        flags = re.IGNORECASE if self.fold_case else 0
        return tuple((route, _pattern(route.path, flags)) for route in self.routes)

    async def answer(self, call: Call[S]) -> Reply:
        """Route, run, and turn a refusal into the vendor's words."""
        try:
            entered = self.enter(call)
            if isinstance(entered, Reply):
                return self.leave(call, entered)
            call = entered
            reply = await self._handle(call)
        except AuthorityError as error:
            return self.decline(call, error)
        return self.leave(call, reply)

    def decline(self, call: Call[S], error: AuthorityError) -> Reply:
        """The vendor's words for a refusal, noted in the call's trail."""
        call.trail.refused = error
        return self.leave(call, self.refuse(call, error))

    async def _handle(self, call: Call[S]) -> Reply:
        allow: list[str] = []
        for route, pattern in self._table:
            found = pattern.fullmatch(call.path)
            if found is None:
                continue
            call.trail.route = route.path
            if call.method in route.allowed:
                return await route.handler(call.with_(segments=found.groupdict()))
            allow.extend(route.allowed)
        return await self.unknown(call.with_(allow=tuple(dict.fromkeys(allow))))


def _pattern(path: str, flags: int) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    source = "".join(
        f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return re.compile(source, flags)


def pairs(text: str) -> Pairs:
    """A query string or form body in order, blank values kept; raises `Invalid`."""
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise Invalid("parameters", "cannot be read") from error


def one(from_: Pairs, name: str) -> str | None:
    """The only value of a parameter; None when absent. Raises `Invalid` when it is repeated."""
    values = [value for key, value in from_ if key == name]
    if len(values) > 1:
        raise Invalid(name, "must not be repeated")
    return values[0] if values else None


def content_type(call: Call[Any]) -> str:
    values = call.headers.get("content-type", ())
    return values[0].partition(";")[0].strip().lower() if values else ""


def form(call: Call[Any]) -> Pairs:
    """The fields of a urlencoded or multipart body; files and any other type give none."""
    kind = content_type(call)
    if not call.body:
        return ()
    if kind == "application/x-www-form-urlencoded":
        try:
            return pairs(call.body.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Invalid("body", "is not UTF-8") from error
    if kind == "multipart/form-data":
        return _multipart(call)
    return ()


def _multipart(call: Call[Any]) -> Pairs:
    found: list[tuple[str, str]] = []

    def on_field(part: Any) -> None:
        name, value = part.field_name or b"", part.value or b""
        found.append((name.decode("utf-8"), value.decode("utf-8")))
        if len(found) > MAX_PARAMETERS:
            raise Invalid("body", "has too many parts")

    headers = {"Content-Type": call.headers["content-type"][0].encode("latin-1")}
    try:
        parser = create_form_parser(headers, on_field, lambda _file: None)
        parser.write(call.body)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError, ValueError) as error:
        raise Invalid("body", "is not a readable multipart form") from error
    return found


def json_body(call: Call[Any]) -> Any:
    """The body as JSON whatever the content type says; None when empty. Raises `Invalid`."""
    if not call.body.strip():
        return None
    try:
        return msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("body", "is not JSON") from error


def bearer(call: Call[Any]) -> str | None:
    """The token of `Authorization: Bearer`; None when no such header is offered.

    The scheme's case does not matter and the space after it may be missing; an empty token is
    offered and bad (`Invalid`), not absent.
    """
    value = call.header("authorization")
    if value is None or value[:6].lower() != "bearer":
        return None
    token = value[6:].strip()
    if not token or any(character.isspace() for character in token):
        raise Invalid("Authorization", "holds no bearer token")
    return token


def cross_site(call: Call[Any]) -> bool:
    """Whether a browser says that another site caused this request.

    `Sec-Fetch-Site` decides where it is sent; otherwise an `Origin` that is not ours.
    """
    site = call.headers.get("sec-fetch-site", ())
    if site:
        return site[0] not in ("same-origin", "same-site", "none")
    origins = call.headers.get("origin", ())
    if not origins:
        return False
    ours = {urlsplit(call.public_url).netloc.lower(), call.host.lower()}
    return urlsplit(origins[0]).netloc.lower() not in ours


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
