"""The kinds of value a setting can have beyond what TOML knows, and how each is written."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Span(int):
    """A duration in milliseconds, written `"90s"`, `"5m"`, `"12h"`, `"14d"`, or as seconds."""


class Network(str):
    """One address or a range of them, in CIDR notation."""

    __slots__ = ()


class HostName(str):
    """A host name as it stands in a Host header, lower case and without a port."""

    __slots__ = ()


class PublicUrl(str):
    """Scheme, host and port under which the world reaches us; no path, no slash at the end."""

    __slots__ = ()


class Secret(str):
    """A text that is never shown; in a table of them, `NAME_file` names a file that holds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


class StoreUrl(str):
    """Where the store is: `sqlite:PATH` or `postgresql://...`; the latter may hold a password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "StoreUrl(...)"


class NodeName(str):
    """What a node is called among those on one database."""

    __slots__ = ()


LONGEST_SPAN = 1_000_000 * UNITS["d"]
"""Beyond it there are no dates any more."""


def parse_span(value: object) -> Span:
    if isinstance(value, bool):
        raise ValueError
    text = f"{value}s" if isinstance(value, int) else value
    found = re.fullmatch(r"(\d{1,15})\s*(ms|s|m|h|d)?", text) if isinstance(text, str) else None
    span = int(found[1]) * UNITS[found[2] or "s"] if found else -1
    if not 0 <= span <= LONGEST_SPAN:
        raise ValueError
    return Span(span)


def show_span(milliseconds: int) -> str:
    """The shortest way to write a duration in one unit."""
    for unit, size in sorted(UNITS.items(), key=lambda pair: -pair[1]):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}s"


def _network(value: object) -> Network:
    return Network(ipaddress.ip_network(_text(value), strict=False))


def _host_name(value: object) -> HostName:
    name = _text(value).lower()
    if not re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*|\[[0-9a-f:.]+\]", name):
        raise ValueError
    return HostName(name)


def _public_url(value: object) -> PublicUrl:
    text = _text(value)
    if not text:
        return PublicUrl("")
    parts = urlsplit(text)
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise ValueError
    _ = parts.port
    return PublicUrl(f"{parts.scheme}://{parts.netloc.lower()}")


def _store_url(value: object) -> StoreUrl:
    kind, _, path = _text(value).partition(":")
    if kind not in ("sqlite", "postgresql", "postgres") or not path or "\0" in path:
        raise ValueError
    if kind != "sqlite" and not re.match(r"//[^/?#]*/[^/?#]+", path):
        raise ValueError
    return StoreUrl(_text(value))


def _node_name(value: object) -> NodeName:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}|", _text(value)):
        raise ValueError
    return NodeName(_text(value))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


PARSERS: Mapping[type, tuple[Callable[[object], Any], str]] = {
    Span: (parse_span, 'a duration such as "90s", "5m", "12h" or "14d", or a number of seconds'),
    Network: (_network, 'an address or range of addresses such as "10.0.0.0/8"'),
    HostName: (_host_name, 'a host name such as "login.example.com", without a port'),
    PublicUrl: (_public_url, 'an address such as "https://login.example.com", without a path'),
    Secret: (lambda value: Secret(_text(value)), "text"),
    StoreUrl: (_store_url, '"sqlite:PATH" or "postgresql://USER@HOST/DATABASE"'),
    NodeName: (_node_name, "a name of at most 63 letters, digits, dots, - and _"),
}


def decode(kind: type, value: object) -> Any:
    """What msgspec asks for a kind of value it does not know."""
    parse, _ = PARSERS[kind]
    return parse(value)


def plain(value: Any) -> Any:
    """The value, however deep, without the types that only say how it is written.

    What has been read goes on into rows, tokens and JSON, which know text and numbers alone.
    """
    match value:
        case Span():
            return int(value)
        case Network() | HostName() | PublicUrl() | StoreUrl() | NodeName():
            return str(value)
        case msgspec.Struct():
            names = value.__struct_fields__
            return msgspec.structs.replace(
                value, **{name: plain(getattr(value, name)) for name in names}
            )
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(plain(item) for item in value)
        case _:
            return value
