"""The head of a request: read once, judged before anything else looks at it."""

import re
from collections.abc import Iterable, MutableMapping
from typing import Any

import msgspec

from lastcall.http.client import Client, Proxies, client_of, host_name, plain, valid_host
from lastcall.http.replies import problem
from lastcall.ports import Entropy
from lastcall.wire import Reply

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 * 1024
LONGEST_TARGET = 32 * 1024

REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{3,63}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context 3.2: version, trace, parent, flags."""

AUTHORITY = "lastcall.authority"
"""Where a scope has the authority of its target, if the target is a whole URL."""

METHOD = re.compile(r"[A-Z]{1,20}")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """`refusal` is the answer to a head that no dialect should see. `traceparent` is the one of a
    trusted proxy, which has begun to trace the request; anybody else's is not looked at."""

    method: str
    path: str
    query: str
    headers: MutableMapping[str, tuple[str, ...]]
    client: Client
    request_id: str
    refusal: Reply | None
    traceparent: str = ""

    @property
    def host_name(self) -> str:
        return host_name(self.client.host)

    @property
    def announced(self) -> str:
        return "".join(self.headers.get("content-length", ()))


class RequestIds:
    """One after the other, with a beginning nobody else has: chance costs more than a check."""

    __slots__ = ("number", "prefix")

    def __init__(self, entropy: Entropy) -> None:
        self.prefix = entropy.bytes(8).hex()
        self.number = 0

    def next(self) -> str:
        self.number = number = self.number + 1
        return f"{self.prefix}{number:08x}"


def read_head(scope: MutableMapping[str, Any], proxies: Proxies, ids: RequestIds) -> Head:
    headers, size = by_name(scope["headers"])
    address, port = scope.get("client") or ("", 0)
    hosts = headers.get("host", ())
    peer = Client(
        address=plain(address),
        port=port,
        host=hosts[0] if len(hosts) == 1 and valid_host(hosts[0]) else "",
        scheme=scope.get("scheme", "http"),
    )
    query = scope.get("query_string", b"").decode("latin-1")
    return Head(
        method=scope["method"],
        path=scope["path"],
        query=query,
        headers=headers,
        client=client_of(peer, headers, proxies),
        request_id=_request_id(headers, ids),
        refusal=_refusal(scope, headers, size, peer),
        traceparent=_traceparent(headers) if proxies.trusts(peer.address) else "",
    )


def by_name(raw: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, tuple[str, ...]], int]:
    """Headers as they are looked up, and how many bytes they are."""
    found: dict[str, list[str]] = {}
    size = 0
    for raw_name, raw_value in raw:
        size += len(raw_name) + len(raw_value)
        name = raw_name.decode("latin-1").lower()
        found.setdefault(name, []).append(raw_value.decode("latin-1").strip(" \t"))
    return {name: tuple(values) for name, values in found.items()}, size


def _refusal(
    scope: MutableMapping[str, Any], headers: MutableMapping[str, Any], size: int, peer: Client
) -> Reply | None:
    if len(scope["headers"]) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        return problem(431, "Request Header Fields Too Large")
    if len(scope["path"]) + len(scope.get("query_string", b"")) > LONGEST_TARGET:
        return problem(414, "URI Too Long")
    no_host_needed = scope.get("http_version") == "1.0" and "host" not in headers
    if not peer.host and not no_host_needed:
        return problem(400, "Bad Request")  # RFC 9112 3.2: exactly one Host, and a valid one
    if scope.get(AUTHORITY, peer.host).lower() != peer.host.lower():
        return problem(400, "Bad Request")  # RFC 9112 3.2.2: they are one; which tenant is meant?
    if not METHOD.fullmatch(scope["method"]):
        return problem(501, "Not Implemented")
    return None


def _traceparent(headers: MutableMapping[str, tuple[str, ...]]) -> str:
    given = headers.get("traceparent", ())
    return given[0] if len(given) == 1 and TRACEPARENT.fullmatch(given[0]) else ""


def _request_id(headers: MutableMapping[str, tuple[str, ...]], ids: RequestIds) -> str:
    """The client's own, if it looks like one: it is printed and sent back."""
    given = headers.get("x-request-id", ())
    if len(given) == 1 and REQUEST_ID.fullmatch(given[0]):
        return given[0]
    return ids.next()
