"""Where a request may go: the rules for a URL as written, and for an address as resolved."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address

LONGEST_URL = 2_048

OTHER_SERVICES = frozenset(
    {1719, 1720, 1723, 2049, 2375, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566}
    | {6665, 6666, 6667, 6668, 6669, 6697, 9042, 10080, 11211, 27017}
)
"""Ports above 1023 where no web server listens and where a request can do harm."""

WEB_PORTS = frozenset({80, 443})
"""The only ports below 1024 a request may go to."""

HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.ASCII)
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",  # RFC 6598: behind a carrier's NAT
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
)
"""Somebody's own network: allowed to clients marked private."""

NOWHERE: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.100.100.200/32",  # a cloud's metadata service
        "168.63.129.16/32",  # another's
        "169.254.0.0/16",  # link-local, and where most metadata services live
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved and broadcast
        "2001::/23",  # Teredo and other tunnels
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",
        "fd00:ec2::254/128",  # a metadata service inside unique-local space
    )
)
"""Allowed to nobody (IANA's special-purpose registries, and the clouds' metadata services)."""

UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is handed out; mapped, NAT64 and link-local addresses lie outside it."""


class Forbidden(Exception):
    """A place requests do not go; the text says why, without repeating the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A URL taken apart once, so that what was checked is what is connected to."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    literal: Address | None


@lru_cache(4_096)
def place(url: str, *, private: bool = False) -> Place:
    """Check a URL as written; `private` allows http and inside addresses. Raises `Forbidden`."""
    if len(url) > LONGEST_URL:
        raise Forbidden(f"is longer than {LONGEST_URL} characters")
    if not all("!" <= character <= "~" for character in url) or "\\" in url:
        raise Forbidden("holds a blank, a backslash or a character outside ASCII")
    if "#" in url:
        raise Forbidden("has a fragment")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Forbidden("is not a URL") from error
    if parts.scheme not in ("https", "http"):
        raise Forbidden("begins with neither https:// nor http://")
    if parts.scheme == "http" and not private:
        raise Forbidden("begins with http://, which only a private client may use")
    if "@" in parts.netloc:
        raise Forbidden("names a user")
    return _placed(parts, port, private=private)


def _placed(parts: SplitResult, port: int | None, *, private: bool) -> Place:
    if parts.netloc.endswith(":"):
        raise Forbidden("has a colon and no port")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if (port < 1024 and port not in WEB_PORTS) or port in OTHER_SERVICES:
        raise Forbidden(f"goes to port {port}, where no web server belongs")
    host = parts.hostname or ""
    literal = _literal(host, bracketed=parts.netloc.startswith("["))
    if literal is not None and not allowed(literal, private=private):
        raise Forbidden("goes to an address that is not public")
    return Place(
        scheme=parts.scheme,
        host=host,
        port=port,
        path=parts.path or "/",
        query=parts.query,
        literal=literal,
    )


def _literal(host: str, *, bracketed: bool) -> Address | None:
    """The address a host is, None for a name; spellings that programs read in two ways are out."""
    if bracketed:
        try:
            return IPv6Address("" if "%" in host else host)
        except ValueError as error:
            raise Forbidden("has no IPv6 address in its brackets") from error
    if not HOST.fullmatch(host) or len(host) > 253:
        raise Forbidden("has no host name of letters, digits, dots and hyphens")
    if not NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return IPv4Address(host)
    except ValueError as error:
        raise Forbidden("has a host that some would read as an address") from error


def allowed(address: Address, *, private: bool = False) -> bool:
    """Whether a connection may go there: public ones always, inside ones for a private client."""
    if _among(address, NOWHERE):
        return False
    if _among(address, INSIDE):
        return private
    return isinstance(address, IPv4Address) or address in UNICAST


def _among(address: Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in one for one in networks)
