"""For tests of applications: is somebody really out, and if not, who still lets them in."""

import asyncio
import json
import os
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from lastcall.client.guard import SessionGuard
from lastcall.client.identity import Identity
from lastcall.client.threaded import ThreadedGuard

AGAIN = 0.01
"""Seconds between two looks."""

Accepts = Callable[[str], object]
"""Whether an application lets a token in: anything true means that it does."""

Guard = SessionGuard | ThreadedGuard
Where = Mapping[str, Accepts | Guard]
"""Who else may still accept a token, by the name they are to be called by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityAccess:
    """The authority under test, and the service that may ask it. `list_with` is the token of
    somebody who may list sessions, needed for whole subjects alone."""

    url: str
    service: str
    secret: str = field(repr=False)
    list_with: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> "AuthorityAccess":
        """`LASTCALL_URL`, `LASTCALL_SERVICE`, `LASTCALL_SECRET`, `LASTCALL_LIST_WITH`."""
        wanted = ("LASTCALL_URL", "LASTCALL_SERVICE", "LASTCALL_SECRET")
        missing = [name for name in wanted if not os.environ.get(name)]
        if missing:
            raise ValueError(
                f"{' and '.join(missing)} not set; set them, or override the fixture"
                " `lastcall_authority` with an AuthorityAccess"
            )
        url, service, secret = (os.environ[name] for name in wanted)
        list_with = os.environ.get("LASTCALL_LIST_WITH", "")
        return cls(url=url, service=service, secret=secret, list_with=list_with)

    def introspect(self, token: str) -> dict[str, Any]:
        pair = f"{quote(self.service, safe='')}:{quote(self.secret, safe='')}"
        headers = {
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self._ask("POST", "/v1/introspect", headers, urlencode({"token": token}))

    def sessions(self, subject: str) -> list[dict[str, Any]]:
        """The live sessions of a subject."""
        if not self.list_with:
            raise ValueError("to ask for a subject's sessions, `list_with` must be given")
        headers = {"Authorization": f"Bearer {self.list_with}"}
        query = urlencode({"subject": subject, "limit": 500})
        found: list[dict[str, Any]] = self._ask("GET", f"/v1/sessions?{query}", headers)["sessions"]
        return found

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: str | None = None
    ) -> dict[str, Any]:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.netloc, timeout=10)
        try:
            connection.request(method, f"{parts.path.rstrip('/')}{path}", body, dict(headers))
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        if reply.status != 200:
            raise AssertionError(f"the authority answers {path.split('?')[0]} with {reply.status}")
        found: dict[str, Any] = json.loads(content)
        return found


class AssertLoggedOut:
    """What the fixture `assert_logged_out` is."""

    def __init__(self, authority: Callable[[], AuthorityAccess]) -> None:
        self._of = authority

    def __call__(
        self,
        *tokens: str,
        subject: str = "",
        where: Where | None = None,
        within: float = 2.0,
    ) -> None:
        """Fail unless, within so many seconds, every one of them refuses every token.

        Asked are the authority and whatever is named in `where`: guards, or functions that tell
        whether the application lets a token in. With a `subject` the authority must have no live
        session of it at all, and no guard may remember one.
        """
        __tracebackhide__ = True
        end = _end(tokens, subject, within)
        while left := self._left(tokens, subject, where or {}):
            if time.monotonic() >= end:
                _fail(left, within)
            time.sleep(AGAIN)

    async def soon(
        self,
        *tokens: str,
        subject: str = "",
        where: Where | None = None,
        within: float = 2.0,
    ) -> None:
        """The same for a test that is a coroutine, and whose guards run in its own loop."""
        __tracebackhide__ = True
        end = _end(tokens, subject, within)
        while left := await asyncio.to_thread(self._left, tokens, subject, where or {}):
            if time.monotonic() >= end:
                _fail(left, within)
            await asyncio.sleep(AGAIN)

    def _left(self, tokens: Sequence[str], subject: str, where: Where) -> list[str]:
        authority = self._of()
        left: list[str] = []
        if subject:
            left += [
                f"the authority has session {one['id']} of {subject}"
                f" ({one['dialect']}, from {one['address']})"
                for one in authority.sessions(subject)
            ]
        for number, token in enumerate(tokens, 1):
            which = f"token {number} of {len(tokens)}" if len(tokens) > 1 else "the token"
            found = authority.introspect(token)
            if found["active"]:
                whose = f"session {found['sid']} of {found['username']}"
                left.append(f"the authority accepts {which}: {whose}")
            said = ((name, _accepts(one, token)) for name, one in where.items())
            left += [f"{name} accepts {which}{more}" for name, more in said if more]
        if subject:
            guards = ((n, one) for n, one in where.items() if isinstance(one, Guard))
            left += [
                f"{name} remembers session {identity.session} of {subject}"
                for name, guard in guards
                for identity in guard.accepted(subject)
            ]
        return left


def _end(tokens: Sequence[str], subject: str, within: float) -> float:
    if not tokens and not subject:
        raise ValueError("nothing to look for: give a token or a subject")
    return time.monotonic() + within


def _fail(left: Sequence[str], within: float) -> NoReturn:
    __tracebackhide__ = True
    lines = "\n".join(f"  {line}" for line in left)
    raise AssertionError(f"still logged in after {within:g} s:\n{lines}")


def _accepts(one: Accepts | Guard, token: str) -> str:
    """Empty when it does not. A guard that would ask the authority is as good as the authority."""
    if not isinstance(one, Guard):
        return "." if one(token) else ""
    found = one.check_now(token, use=False)
    if isinstance(found, Identity):
        return f": session {found.session} of {found.username}"
    return ""
