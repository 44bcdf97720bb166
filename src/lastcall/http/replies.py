"""Making every answer safe to send, and the few answers no dialect gives."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from lastcall.wire import Reply, json_reply

Headers = Sequence[tuple[bytes, bytes]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
BODILESS = (204, 304)

HTML_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

DEFAULTS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)


ABSENT = tuple((pair, pair[0].lower()) for pair in DEFAULTS)


def problem(status: int, title: str, *headers: tuple[str, str]) -> Reply:
    """An RFC 9457 problem that is only its status."""
    reply = json_reply(
        {"type": "about:blank", "title": title, "status": status},
        status,
        content_type="application/problem+json",
    )
    return reply.plus(*headers)


def safe(reply: Reply, *more: tuple[str, str]) -> Reply:
    """The reply with what browsers and caches must be told, and `more`; raises `ValueError` if it
    cannot be sent without letting a value pass for a header.
    """
    names = {_known(name) for name, _ in reply.headers}
    for name, value in reply.headers:
        if not VALUE.fullmatch(value):
            raise ValueError(f"header {name!r} holds characters a header cannot hold")
    if "content-length" in names or "transfer-encoding" in names:
        raise ValueError("the length of an answer is not for a dialect to say")
    added = [pair for pair, name in ABSENT if name not in names]
    if "content-security-policy" not in names and _is_html(reply):
        added.append(("Content-Security-Policy", HTML_POLICY))
    return reply.plus(*added, *more)


@lru_cache(maxsize=1_024)
def _known(name: str) -> str:
    """In small letters; the names there are come from the code, and are few."""
    if not NAME.fullmatch(name):
        raise ValueError(f"header {name!r} holds characters a header cannot hold")
    return name.lower()


def written(reply: Reply, defaults: Headers, *, keep_alive: bool) -> tuple[bytes, bool]:
    """As uvicorn writes it after its own headers, and whether the connection goes on."""
    lines = [b"%b: %b\r\n" % pair for pair in defaults]
    said = False
    for name, value in reply.headers:
        lines.append(f"{name.lower()}: {value}\r\n".encode("latin-1"))
        if name.lower() == "connection":
            said = said or "close" in value.lower()
    if reply.status not in BODILESS:
        lines.append(b"content-length: %d\r\n" % len(reply.body))
    if not keep_alive and not said:
        lines.append(b"connection: close\r\n")
    body = b"" if reply.status in BODILESS else reply.body
    return b"".join((STATUS_LINE[reply.status], *lines, b"\r\n", body)), keep_alive and not said


def without(reply: Reply, name: str) -> Reply:
    kept = tuple(pair for pair in reply.headers if pair[0].lower() != name.lower())
    return reply.with_(headers=kept)


async def send_reply(send: Send, reply: Reply, *, head_only: bool) -> None:
    """HEAD tells the length the body would have; it never has the body."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    bodiless = reply.status in BODILESS
    if not bodiless:
        headers.append((b"Content-Length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = b"" if bodiless or head_only else reply.body
    await send({"type": "http.response.body", "body": body})


def _is_html(reply: Reply) -> bool:
    kinds = [value for name, value in reply.headers if name.lower() == "content-type"]
    return any("html" in kind.lower() or "xml" in kind.lower() for kind in kinds)
