"""The authority as a guard sees it, over HTTP."""

import asyncio
import json
import ssl as tls
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from sys import intern
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import aiohttp

from lastcall.client.cache import Answer
from lastcall.client.feed import Event, Events, Position, Unreadable
from lastcall.client.identity import CannotKnow, Identity

MOST_OF_A_BODY = 64 * 1024
SILENCE = 15.0
"""Seconds without a byte after which a feed is taken for dead: three of its heartbeats."""

KEEP_SECONDS = 10.0
"""How long an idle connection is kept: less than the authority keeps it."""

CONNECTIONS = 72
"""More than there are questions at once: the lease and the feed do not wait for answers to them."""


class Authority(Protocol):
    """Every call raises `CannotKnow` when there is no answer to rely on."""

    async def position(self, seconds: float) -> Position:
        """One that includes everything acknowledged before the call."""
        ...

    async def introspect(
        self, token: str, applied: Position | None, *, use: bool, seconds: float
    ) -> Answer:
        """From a state not older than `applied`; `use`: it counts as a use of the session."""
        ...

    def feed(self, applied: Position | None) -> AsyncGenerator[Event, None]:
        """What follows `applied`, until the connection ends."""
        ...

    async def close(self) -> None: ...


class HttpAuthority:
    """`url` is where the server's own paths begin; `ssl` is for certificates of a private CA."""

    def __init__(
        self, url: str, service: str, secret: str, ssl: tls.SSLContext | None = None
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("the authority's url must begin with http:// or https://")
        self.url = url.rstrip("/")
        pair = f"{quote(service, safe='')}:{quote(secret, safe='')}"
        self._credentials = f"Basic {b64encode(pair.encode()).decode()}"
        self._ssl = ssl
        self._http: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def position(self, seconds: float) -> Position:
        async with self._asked("GET", "/v1/feed/position", seconds) as reply:
            return Position.read((await _json(reply)).get("position"))

    async def introspect(
        self, token: str, applied: Position | None, *, use: bool, seconds: float
    ) -> Answer:
        form = {"token": token, **({"use": "true"} if use else {})}
        headers = {"Lastcall-Position": str(applied or Position("none", 0))}
        async with self._asked("POST", "/v1/introspect", seconds, headers, form) as reply:
            return _answer(await _json(reply), reply.headers)

    async def feed(self, applied: Position | None) -> AsyncGenerator[Event, None]:
        headers = {"Last-Event-ID": str(applied)} if applied else {}
        headers["Accept"] = "text/event-stream"
        events = Events()
        async with self._asked("GET", "/v1/feed", None, headers) as reply:
            async for piece in reply.content.iter_any():
                for event in events.read(piece):
                    yield event

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        seconds: float | None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """`seconds` for all of it, or None for an answer that goes on."""
        within = aiohttp.ClientTimeout(total=seconds)
        if seconds is None:
            within = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE)
        try:
            async with self._session().request(
                method,
                f"{self.url}{path}",
                headers=headers,
                data=form,
                timeout=within,
                allow_redirects=False,
            ) as reply:
                if reply.status != 200:
                    raise CannotKnow(f"the authority answered {path} with {reply.status}")
                yield reply
        except (aiohttp.ClientError, OSError, TimeoutError, Unreadable) as error:
            what = type(error).__name__
            raise CannotKnow(f"no answer from the authority to {path}: {what}") from error

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._http is None or self._loop is not loop:
            self._loop = loop
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS, keepalive_timeout=KEEP_SECONDS, ssl=self._ssl or True
                ),
                headers={
                    "Authorization": self._credentials,
                    "User-Agent": "lastcall-client",
                    "Accept-Encoding": "identity",  # who compresses a feed holds it back
                },
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http


async def _json(reply: aiohttp.ClientResponse) -> dict[str, Any]:
    body = bytearray()
    async for piece in reply.content.iter_any():
        body += piece
        if len(body) > MOST_OF_A_BODY:
            raise Unreadable("a body is too long")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("not a JSON object")
    return found


def _answer(body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    position = headers.get("Lastcall-Position")
    here = Position.read(position) if position else None
    if body.get("active") is False:
        return Answer(here, None)
    try:
        act = body.get("act") or {}
        who = Identity(
            subject=_text(body["sub"]),
            username=_text(body["username"]),
            session=_text(body["sid"]),
            tenant=intern(_text(body["tenant"])),
            role=intern(_text(body["role"])),
            dialect=intern(_text(body["dialect"])),
            amr=tuple(_text(one) for one in body.get("amr", ())),
            impersonator=_text(act["sub"]) if act else None,
            expires=int(body["exp"]),
        )
        lasts = int(headers.get("Lastcall-Remaining", "0")) / 1_000
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unreadable("not an introspection answer") from error
    if body.get("active") is not True:
        raise Unreadable("neither active nor not")
    return Answer(here, who, lasts)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value
