"""What the fast lane knows of the application: which requests are hot, and the shortest answers.

See docs/adr/0022. The protocol asks; what it is told here is what the application would answer.
"""

import re
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import structlog

from lastcall.domain.errors import AuthorityError
from lastcall.domain.types import TenantId
from lastcall.http.client import Client, Proxies, client_of, host_name, plain, valid_host
from lastcall.http.facts import Mount, Readiness, ServerFacts
from lastcall.http.head import RequestIds, by_name
from lastcall.http.mounts import Mounts
from lastcall.http.refusing import Refusal
from lastcall.http.replies import DEFAULTS, Headers
from lastcall.http.turns import Turns
from lastcall.metrics import Metrics, RouteTally
from lastcall.ports import Env
from lastcall.wire import Hot, Quick, Route

log = structlog.stdlib.get_logger("http")

METHODS = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"})
"""HEAD is left to the ordinary lane, and so is what no hot route has."""

TELLING = frozenset(
    {
        b"content-length",
        b"expect",
        b"forwarded",
        b"transfer-encoding",
        b"upgrade",
        b"x-forwarded-host",
        b"x-request-id",
    }
)
"""Headers that may change the answer to a good bearer token, beside `Authorization` and `Host`."""

MOST_HEADERS = 64
MOST_HEAD_BYTES = 8 * 1024
MOST_HOSTS = 1_024
"""Different `Host` headers that are remembered; then all are forgotten, and looked at again."""

GOOD = b"HTTP/1.1 204 No Content\r\n"
END = b"".join(f"{name.lower()}: {value}\r\n".encode() for name, value in DEFAULTS) + (
    b"x-request-id: "
)
TIMED = 16


class Shortcut:
    """The short way of one route and tenant: what answers there, and how often it has.

    `answered` are those the figures do not have yet. `refusal` is the short way to say no.
    """

    __slots__ = (
        *("_begin", "_defaults", "_end", "_ids", "_quick", "_state", "_tally"),
        *("answered", "refusal"),
    )

    def __init__(
        self,
        quick: Quick,
        refusal: Refusal | None,
        ids: RequestIds,
        state: Readiness,
        tally: RouteTally,
    ) -> None:
        self.refusal = refusal
        self._quick = quick
        self._ids = ids
        self._state = state
        self._tally = tally
        self._defaults: Headers | None = None
        self._begin = b""
        self._end = END + ids.prefix.encode()
        self.answered = 0

    def good(self, token: bytes, defaults: Headers) -> bytes | None:
        """The whole answer to a good token; None for every other.

        `defaults` are the headers the server puts before all others; the list is another one
        whenever they change. One in `TIMED` is timed, and stands for so many.
        """
        started = 0.0 if self.answered % TIMED else perf_counter()
        if self._state.draining:
            return None
        try:
            lines = self._quick(token)
        except AuthorityError:
            return None
        except Exception as error:
            log.error("failed", lane="fast", exc_info=error)
            return None
        if lines is None:
            return None
        if defaults is not self._defaults:
            self._defaults = defaults
            self._begin = GOOD + b"".join(b"%b: %b\r\n" % pair for pair in defaults)
        ids = self._ids
        ids.number = number = ids.number + 1  # as `RequestIds.next` does
        answer = b"%b%b%b%08x\r\n\r\n" % (self._begin, lines, self._end, number)
        self.answered += 1
        if started:
            self._tally.times.note(perf_counter() - started, TIMED)
        return answer

    def refused(self, token: bytes, defaults: Headers, asker: str | None) -> bytes | None:
        """The whole answer to a token that does not count; None where it takes the handler."""
        if asker is None or self.refusal is None:
            return None
        return self.refusal.answer(token, defaults, asker)

    def fold(self) -> int:
        """Tell the figures; how many there were."""
        many, self.answered = self.answered, 0
        self._tally.answer(204, many)
        return many


class Lane:
    """Where requests are `traced`, only the short way is taken, and not by what has a trace."""

    def __init__(
        self,
        env: Env,
        mounts: Mounts,
        server: ServerFacts,
        state: Readiness,
        figures: Metrics,
        ids: RequestIds,
        proxies: Proxies,
        *,
        traced: bool = False,
    ) -> None:
        self.traced = traced
        self.turns = Turns()
        self._proxies = proxies
        self._telling = TELLING | {b"traceparent"} if traced else TELLING
        self._env = env
        self._mounts = mounts
        self._server = server
        self._state = state
        self._figures = figures
        self._ids = ids
        hot = [(mount, route) for mount, route in _routes(mounts) if route.hot is not None]
        for mount, route in hot:
            if route.hot is Hot.CHECK:
                figures.route(mount.dialect.name, route.path).check = True
        paths = {route.path for _, route in hot}
        self._checks = frozenset(r.path.encode() for _, r in hot if r.hot is Hot.CHECK)
        self._plain = frozenset(path.encode() for path in paths if "{" not in path)
        self._open = re.compile(b"|".join(_pattern(path) for path in sorted(paths) if "{" in path))
        self._quick = (
            frozenset(route.path.encode() for _, route in hot if route.quick is not None)
            & self._plain
        )
        self._ways: dict[tuple[str, str, str, bool], Shortcut] = {}
        self._shortcuts: dict[tuple[bytes, bytes], Shortcut | None] = {}
        figures.folds.append(self.fold)

    def hot(self, url: bytes) -> bool:
        """Whether the path is one of the hot routes', written in the plainest way."""
        path = url.partition(b"?")[0]
        if path in self._plain:
            return True
        return b"%" not in path and self._open.fullmatch(path) is not None

    def checks(self, url: bytes) -> bool:
        """Whether it is one of those that only check a token, which wait for nobody's turn."""
        return url.partition(b"?")[0] in self._checks

    def shortcut(self, url: bytes, headers: Headers) -> tuple[Shortcut, bytes] | None:
        """The way to answer a GET, and the token it offers; None if it is no plain question."""
        if url not in self._quick or len(headers) > MOST_HEADERS:
            return None
        host = token = None
        size = 0
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"authorization":
                if token is not None or value[:7] != b"Bearer ":
                    return None
                token = value[7:]
            elif name == b"host":
                if host is not None:
                    return None
                host = value
            elif name in self._telling:
                return None
        if token is None or host is None or size > MOST_HEAD_BYTES:
            return None
        shortcut = self._at(url, host)
        return None if shortcut is None else (shortcut, token)

    def asker(self, headers: Headers, client: tuple[str, int] | None) -> str | None:
        """The address a refusal is logged with; None where it is not said the short way."""
        if self.traced or any(name == b"cookie" for name, _ in headers):
            return None
        address, port = client or ("", 0)
        peer = Client(address=plain(address), port=port, host="", scheme="")
        return client_of(peer, by_name(headers)[0], self._proxies).address

    @property
    def answered(self) -> int:
        """How often the short way was taken since the last folding."""
        return sum(way.answered for way in self._ways.values())

    def fold(self) -> None:
        """Add what was answered the short way to the figures."""
        self._figures.checks["live"] += sum(way.fold() for way in self._ways.values())

    def _at(self, url: bytes, host: bytes) -> Shortcut | None:
        key = (url, host)
        if key in self._shortcuts:
            return self._shortcuts[key]
        if len(self._shortcuts) >= MOST_HOSTS:
            self._shortcuts.clear()
        found = self._shortcuts[key] = self._found(
            url.decode("ascii"), host.decode("latin-1").strip(" \t")
        )
        return found

    def _found(self, path: str, host: str) -> Shortcut | None:
        if not valid_host(host):
            return None
        name = host_name(host)
        mount = self._mounts.of_host(name) or self._mounts.of_path(path)
        if mount is None:
            return None
        claimed = self._server.tenant_hosts.get(name)
        tenant = claimed or TenantId(mount.settings.tenant)
        by_host = claimed is not None
        key = mount.dialect.name, path, tenant, by_host
        if key not in self._ways:
            for route in mount.dialect.routes:
                if route.path == path and route.quick is not None:
                    quick = route.quick(self._env, mount.settings, tenant, by_host)
                    tally = self._figures.route(mount.dialect.name, path)
                    refusal = self._refusal(mount, route, tenant, by_host=by_host)
                    self._ways[key] = Shortcut(quick, refusal, self._ids, self._state, tally)
        return self._ways.get(key)

    def _refusal(
        self, mount: Mount, route: Route[Any], tenant: TenantId, *, by_host: bool
    ) -> Refusal | None:
        if route.refusing is None:
            return None
        return Refusal(
            route.refusing(self._env, mount.settings, tenant, by_host),
            clock=self._env.clock,
            ids=self._ids,
            state=self._state,
            figures=self._figures,
            dialect=mount.dialect.name,
            path=route.path,
            tenant=tenant,
        )


def _routes(mounts: Mounts) -> Iterator[tuple[Mount, Route[Any]]]:
    return ((mount, route) for mount in mounts.all() for route in mount.dialect.routes)


def _pattern(path: str) -> bytes:
    parts = re.split(r"\{\w+\}", path)
    return b"[^/]+".join(re.escape(part).encode() for part in parts)
