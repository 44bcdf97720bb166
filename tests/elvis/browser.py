"""A second opinion on where a browser goes: the parts of the WHATWG URL parser that decide it.

It knows nothing of the judgement under test, and is as lenient as browsers are.
"""

import re
from dataclasses import dataclass

SPECIAL = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
C0_AND_SPACE = "".join(map(chr, range(0x21)))


@dataclass(frozen=True, slots=True)
class Page:
    """Where one ends up: an opaque scheme has no host."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def origin(self) -> str:
        if not self.host:
            return f"{self.scheme}:"
        port = "" if self.port == SPECIAL[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def follow(address: str, base: Page) -> Page:
    """What the address bar shows after `address` was followed from `base`."""
    text = address.strip(C0_AND_SPACE)
    text = re.sub(r"[\t\n\r]", "", text)
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text)
    if found is None:
        return _relative(text, base)
    scheme = found[1].lower()
    rest = text[found.end() :]
    if scheme not in SPECIAL:
        return Page(scheme)
    if scheme == base.scheme and not re.match(r"[/\\]{2}", rest):
        return _relative(rest, base)
    return _authority(scheme, rest.lstrip("/\\"))


def _relative(text: str, base: Page) -> Page:
    slashed = text.split("#")[0].split("?")[0].replace("\\", "/")
    if slashed.startswith("//"):
        return _authority(base.scheme, text.lstrip("/\\"))
    return Page(base.scheme, base.host, base.port, text or base.path)


def _authority(scheme: str, text: str) -> Page:
    authority, path = re.fullmatch(r"([^/\\?#]*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]  # matches all
    host, _, port = authority.rpartition("@")[2].partition(":")
    if host.startswith("["):
        host, _, port = authority.rpartition("@")[2].partition("]")
        host, port = f"{host}]", port.removeprefix(":")
    if not host or not re.fullmatch(r"[0-9]*", port):
        return Page(scheme, "(no address)", 0, "")
    return Page(scheme, host.lower(), int(port or SPECIAL[scheme]), path or "/")
