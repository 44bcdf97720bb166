"""Where `logoutSuccessUrl` may take a browser: a narrow grammar, and addresses written out anew.

Nothing here repairs what it reads. Parsers of addresses disagree about tabs, backslashes, `@`,
numeric hosts and missing slashes; what they could disagree about is no address to us.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote

LONGEST = 2048

_MARK = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})"
_REST = rf"{_MARK}*(?:#{_MARK}*)?"
_ABSOLUTE = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    rf"(?P<rest>(?:[/?#]{_REST})?)"
)
_ROOTED = re.compile(rf"/(?!/){_REST}")
_BESIDE = re.compile(rf"[A-Za-z0-9._~!$&'()*+,;=@-]+(?:[/?#]{_REST})?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address in one spelling. `origin` is `scheme://host[:port]`, empty for our own."""

    origin: str
    rest: str

    def __str__(self) -> str:
        return self.origin + self.rest

    @property
    def path(self) -> str:
        return re.split(r"[?#]", self.rest, maxsplit=1)[0]


def read_target(value: str, own_origin: str = "") -> Target | None:
    """The target a text names beyond doubt; None for everything else.

    An absolute address at `own_origin` is read as a path here, so that it cannot lead away.
    """
    if len(value) > LONGEST:
        return None
    if found := _ABSOLUTE.fullmatch(value):
        origin = _origin(found["scheme"].lower(), found["host"], found["port"])
        rest = found["rest"]
        if origin is None or _hides_controls(rest):
            return None
        if origin != own_origin:
            return Target(origin=origin, rest=rest)
        return _own(rest if rest.startswith("/") else f"/{rest}")
    if _ROOTED.fullmatch(value):
        return _own(value)
    if value and _BESIDE.fullmatch(value):
        return _own(f"/{value}")
    return None


def read_origin(value: str) -> str | None:
    """`scheme://host[:port]` in the one spelling targets have; None with anything after it."""
    target = read_target(value)
    return target.origin if target and target.origin and not target.rest else None


def _own(rest: str) -> Target | None:
    """A path of ours; never one that a later hand could decode into another host."""
    target = Target(origin="", rest=rest)
    decoded = unquote(target.path)
    if "//" in decoded or "\\" in decoded or _hides_controls(rest):
        return None
    return target


def _hides_controls(rest: str) -> bool:
    return any(character < " " or character == "\x7f" for character in unquote(rest))


def _origin(scheme: str, host: str, port: str | None) -> str | None:
    name = _host(host)
    number = int(port) if port else _DEFAULT_PORTS[scheme]
    if name is None or not 0 < number < 65_536:
        return None
    return f"{scheme}://{name}" + ("" if number == _DEFAULT_PORTS[scheme] else f":{number}")


def _host(text: str) -> str | None:
    """Lower case and canonical, so that what a page names is where a browser goes."""
    try:
        if text.startswith("["):
            return f"[{IPv6Address(text[1:-1]).compressed}]"
        name = text.lower()
        labels = name.removesuffix(".").split(".")
        if len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
            return None
        # WHATWG URL 3.5: a host whose last label is a number is an IPv4 address in disguise.
        return str(IPv4Address(name)) if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]) else name
    except AddressValueError:
        return None
