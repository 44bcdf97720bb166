"""Who is really asking: the client's address, host and scheme, and when a proxy is believed."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

import msgspec

Headers = Mapping[str, tuple[str, ...]]
Address: TypeAlias = IPv4Address | IPv6Address

HOST = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]{2,45}\])"
)
AUTHORITY = re.compile(rf"({HOST.pattern})(?::([0-9]{{1,5}}))?")
PAIR = re.compile(r"\s*([A-Za-z]+)\s*=\s*(?:\"([^\"\\]*)\"|([^\s;,\"]+))\s*")


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """As seen from here or from a trusted proxy; `port` 0 when the proxy does not say."""

    address: str
    port: int
    host: str
    scheme: str


class Proxies:
    """The networks whose word about the client is taken."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ip_network(network, strict=False) for network in networks)

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, IPv4Address | IPv6Address):
            return False
        return any(
            address in network
            for network in self._networks
            if isinstance(network, IPv6Network) == isinstance(address, IPv6Address)
        )

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        return bool(self._networks) and _address(address) in self


def client_of(peer: Client, headers: Headers, proxies: Proxies) -> Client:
    """The client behind `peer`: itself, unless it is a trusted proxy that names another.

    In a chain of proxies it is the rightmost one that is not trusted. Where a proxy lets through
    two kinds of header that name different clients, none is believed: it cannot be told which
    one the proxy wrote.
    """
    if not proxies.trusts(peer.address):
        return peer
    chains = {
        chain
        for chain in (
            tuple(_list(headers, "x-forwarded-for")),
            tuple(element.get("for", "") for element in _forwarded(headers)),
            tuple(_list(headers, "x-real-ip")),
        )
        if chain
    }
    found = {_rightmost(chain, proxies) for chain in chains} or {(peer.address, peer.port)}
    named = found.pop()
    if found or named is None:
        return peer
    host = _last(headers, "x-forwarded-host", "host")
    scheme = _last(headers, "x-forwarded-proto", "proto").lower()
    return msgspec.structs.replace(
        peer,
        address=named[0],
        port=named[1],
        host=host if valid_host(host) else peer.host,
        scheme=scheme if scheme in ("http", "https") else peer.scheme,
    )


@lru_cache(maxsize=1_024)
def valid_host(text: str) -> bool:
    found = AUTHORITY.fullmatch(text)
    return found is not None and (found[2] is None or int(found[2]) <= 65_535)


@lru_cache(maxsize=1_024)
def host_name(authority: str) -> str:
    """Lower case, without the port."""
    found = AUTHORITY.fullmatch(authority)
    return found[1].lower().rstrip(".") if found else ""


@lru_cache(maxsize=4_096)
def plain(address: str) -> str:
    """One spelling for one address: an IPv4 address in IPv6 clothes becomes IPv4."""
    found = _address(address)
    return str(found) if found is not None else address


def _rightmost(chain: Sequence[str], proxies: Proxies) -> tuple[str, int] | None:
    """The last entry that is not a trusted proxy; None when an entry on the way is not readable."""
    last: tuple[str, int] | None = None
    for entry in reversed(chain):
        parsed = _node(entry)
        if parsed is None:
            return None
        address, port = parsed
        last = (str(address), port)
        if address not in proxies:
            return last
    return last


def _node(text: str) -> tuple[Address, int] | None:
    """`192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711` (RFC 7239 6)."""
    text = text.strip()
    port = ""
    if text.startswith("["):
        text, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
    address = _address(text)
    if address is None or (port and not re.fullmatch(r"[0-9]{1,5}", port)):
        return None
    number = int(port or 0)
    return (address, number if number <= 65_535 else 0)


def _address(text: str) -> Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _list(headers: Headers, name: str) -> list[str]:
    joined = ",".join(headers.get(name, ()))
    return [entry.strip() for entry in joined.split(",")] if joined.strip() else []


def _forwarded(headers: Headers) -> list[dict[str, str]]:
    """The elements of `Forwarded`; what is not well formed names nobody (RFC 7239 4)."""
    elements = []
    for part in _list(headers, "forwarded"):
        element = {}
        for pair in part.split(";"):
            found = PAIR.fullmatch(pair)
            if found:
                element[found[1].lower()] = found[2] if found[2] is not None else found[3]
        elements.append(element)
    return elements


def _last(headers: Headers, name: str, key: str) -> str:
    """What the nearest proxy says."""
    values = _list(headers, name)
    if values:
        return values[-1]
    elements = _forwarded(headers)
    return elements[-1].get(key, "") if elements else ""
