"""What middleware of every framework has in common: the token of a request, and how to say no."""

import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lastcall.client.identity import CannotKnow, Identity
from lastcall.client.threaded import ThreadedGuard

BEARER = "bearer"
DISGUISED = re.compile(r"[\x00-\x1f\x7f\\%]|//|/\.{1,2}(?:[/;]|\Z)")
"""What some would decode, merge, or walk up by (a parameter of `..` is not looked at by all)."""

UNREADABLE = ""
"""In a token's place: something was offered that cannot be a token, which is refused."""


class SessionEnded(OSError):
    """The session ended, or could not be known to go on, while an answer was being sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`required`: nobody gets in without a session; otherwise a request may be anonymous.

    `cookie` is where the token is looked for when there is no bearer token. `public` paths are
    left out: exact ones, and with a slash at the end everything below; `/` is the root alone.
    Raises `ValueError` for a list of them that is none: it could leave out everything.
    """

    required: bool = True
    cookie: str = ""
    public: Sequence[str] = ()

    def __post_init__(self) -> None:
        text = isinstance(self.public, str)
        if text or not all(f"{one}".startswith("/") for one in self.public):
            raise ValueError("public must be a list of paths, each beginning with a slash")

    def leaves_out(self, path: str) -> bool:
        """A path that something behind might read differently is never left out."""
        if DISGUISED.search(path):
            return False
        return any(
            path == one or (one.endswith("/") and one != "/" and path.startswith(one))
            for one in self.public
        )

    def token(self, authorization: Sequence[str], cookies: Iterable[str]) -> str | None:
        """None when nothing is offered; `UNREADABLE` for what is ambiguous."""
        if len(authorization) > 1:
            return UNREADABLE
        kind, _, token = (authorization[0] if authorization else "").strip().partition(" ")
        if kind.lower() == BEARER:
            return token.strip()
        return self._in_cookies(cookies) if self.cookie else None

    def _in_cookies(self, cookies: Iterable[str]) -> str | None:
        pairs = (pair.partition("=") for line in cookies for pair in line.split(";"))
        found = {
            value.strip().strip('"') for name, _, value in pairs if name.strip() == self.cookie
        }
        found.discard("")
        if len(found) > 1:
            return UNREADABLE
        return found.pop() if found else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in the request's place: 401, or 503 when it cannot be known."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def not_in(*, offered: bool) -> Refusal:
    challenge = 'Bearer error="invalid_token"' if offered else "Bearer"
    return _refusal(401, "Not authenticated", ("WWW-Authenticate", challenge))


def not_known() -> Refusal:
    return _refusal(503, "Sessions cannot be checked", ("Retry-After", "1"))


def _refusal(status: int, title: str, *headers: tuple[str, str]) -> Refusal:
    body = json.dumps({"type": "about:blank", "title": title, "status": status}).encode()
    usual = (
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    )
    return Refusal(status, (*usual, *headers), body)


def judge(guard: ThreadedGuard, rules: Rules, token: str | None) -> Identity | Refusal | None:
    """Who it is, None for nobody where that is allowed, or what to answer instead."""
    try:
        who = None if token is None else guard.check(token)
    except CannotKnow:
        return not_known()
    return verdict(rules, token, who)


async def judge_async(
    guard: ThreadedGuard, rules: Rules, token: str | None
) -> Identity | Refusal | None:
    try:
        who = None if token is None else await guard.check_async(token)
    except CannotKnow:
        return not_known()
    return verdict(rules, token, who)


def verdict(rules: Rules, token: str | None, who: Identity | None) -> Identity | Refusal | None:
    if who is None and rules.required:
        return not_in(offered=token is not None)
    return who


def while_it_lasts(
    pieces: Iterable[bytes], guard: ThreadedGuard, token: str, kind: str | None
) -> Iterator[bytes]:
    """An answer of that content type in pieces, none of them after the session has ended.

    An event stream ends there; anything else raises `SessionEnded`, so that the server gives up
    the connection and half of it is not taken for all.
    """
    for piece in pieces:
        try:
            still(guard, token)
        except SessionEnded:
            if is_events(kind):
                return
            raise
        yield piece


async def while_it_lasts_async(
    pieces: AsyncIterable[bytes], guard: ThreadedGuard, token: str, kind: str | None
) -> AsyncIterator[bytes]:
    async for piece in pieces:
        try:
            await still_async(guard, token)
        except SessionEnded:
            if is_events(kind):
                return
            raise
        yield piece


def is_events(content_type: str | None) -> bool:
    return (content_type or "").lower().startswith("text/event-stream")


def still(guard: ThreadedGuard, token: str) -> None:
    """Raises `SessionEnded`. It is no use of the session."""
    try:
        found = guard.check(token, use=False)
    except CannotKnow as error:
        raise SessionEnded("the session cannot be known to go on") from error
    if found is None:
        raise SessionEnded("the session has ended")


async def still_async(guard: ThreadedGuard, token: str) -> None:
    """The same without blocking the loop."""
    try:
        found = await guard.check_async(token, use=False)
    except CannotKnow as error:
        raise SessionEnded("the session cannot be known to go on") from error
    if found is None:
        raise SessionEnded("the session has ended")
