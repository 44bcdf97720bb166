"""Middleware for every ASGI application: Starlette, FastAPI, Litestar, Django under ASGI."""

import asyncio
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lastcall.client.guard import SessionGuard
from lastcall.client.identity import CannotKnow, Identity, Verdict
from lastcall.client.rules import Refusal, Rules, SessionEnded, not_known, verdict

Scope = Any
Message = Any
"""Mappings; what each framework calls them differs too much for one type."""
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY, AGAIN = 1008, 1013
"""Close codes of a WebSocket (RFC 6455 and IANA): not allowed, and try again later."""


class LastcallMiddleware:
    """Lets in whoever has a session: `scope["user"]` and `scope["state"]["lastcall"]` say who.

    A WebSocket, or an answer that is sent piece by piece, ends with the session. Give it a `guard`
    to share, or what a `SessionGuard` is made from: then it is begun and ended with the
    application.
    """

    def __init__(
        self,
        app: Asgi,
        guard: SessionGuard | None = None,
        *,
        required: bool = True,
        cookie: str = "",
        public: Sequence[str] = (),
        url: str = "",
        service: str = "",
        secret: str = "",
        lease: float = 2.0,
        entries: int = 100_000,
        patience: float = 2.0,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self.guard = guard or SessionGuard(
            url, service, secret, lease=lease, entries=entries, patience=patience, ssl=ssl
        )
        self._app = app
        self._own = guard is None
        self._rules = Rules(required=required, cookie=cookie, public=public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(scope, receive, send)
        if scope["type"] not in ("http", "websocket") or self._rules.leaves_out(scope["path"]):
            _tell(scope, None, anew=False)
            return await self._app(scope, receive, send)
        token = self._rules.token(_headers(scope, b"authorization"), _headers(scope, b"cookie"))
        try:
            who = None if token is None else await self.guard.check(token)
        except CannotKnow:
            return await _refuse(scope, receive, send, not_known())
        judged = verdict(self._rules, token, who)
        if isinstance(judged, Refusal):
            return await _refuse(scope, receive, send, judged)
        _tell(scope, judged, anew=True)
        if judged is None or token is None:
            return await self._app(scope, receive, send)
        if scope["type"] == "http":
            return await _Answer(self.guard, token, send).run(self._app, scope, receive)
        return await _Socket(self.guard, token, receive, send).run(self._app, scope)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        ending = False

        async def receiving() -> Message:
            nonlocal ending
            message = await receive()
            ending = message["type"] == "lifespan.shutdown"
            if message["type"] == "lifespan.startup":
                await self.guard.start()
            return message

        try:
            await self._app(scope, receiving, send)
        finally:
            if ending and self._own:
                await self.guard.close()


class _Answer:
    """One HTTP answer. If it goes on piece by piece, it goes on no longer than the session.

    An event stream ends there; of anything else the connection is given up, so that half of it is
    not taken for all.
    """

    def __init__(self, guard: SessionGuard, token: str, send: Send) -> None:
        self._guard = guard
        self._token = token
        self._send = send
        self._events = False
        self._over = False
        self._watch: asyncio.Task[None] | None = None

    async def run(self, app: Asgi, scope: Scope, receive: Receive) -> None:
        self._task = asyncio.current_task()
        try:
            await app(scope, receive, self._sending)
        except (asyncio.CancelledError, SessionEnded):
            if not self._over:
                raise
            if self._task is not None:
                self._task.uncancel()
        finally:
            self._task = None
            if self._watch is not None:
                self._watch.cancel()

    async def _sending(self, message: Message) -> None:
        if self._over:
            raise SessionEnded("the session has ended")
        if message["type"] == "http.response.start":
            kinds = (value for name, value in message.get("headers", ()) if name.lower() == TYPE)
            self._events = any(kind.startswith(b"text/event-stream") for kind in kinds)
        await self._send(message)
        goes_on = message["type"] == "http.response.body" and message.get("more_body")
        if goes_on and self._watch is None:
            self._watch = asyncio.create_task(self._watching())

    async def _watching(self) -> None:
        await self._guard.ended(self._token)
        self._over = True
        try:
            if self._events:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if self._task is not None:
                self._task.cancel()


class _Socket:
    """One WebSocket: every message from the client is a use, and none passes after the end."""

    def __init__(self, guard: SessionGuard, token: str, receive: Receive, send: Send) -> None:
        self._guard = guard
        self._token = token
        self._receive = receive
        self._send = send
        self._over = False
        self._watch: asyncio.Task[None] | None = None

    async def run(self, app: Asgi, scope: Scope) -> None:
        try:
            await app(scope, self._receiving, self._sending)
        except SessionEnded:
            if not self._over:
                raise
        finally:
            if self._watch is not None:
                self._watch.cancel()

    async def _receiving(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        if not self._over:
            try:
                found = await self._guard.check(self._token)
            except CannotKnow:
                await self._close(AGAIN)
            else:
                if found is not None:
                    return message
                await self._close(POLICY)
        return {"type": "websocket.disconnect", "code": POLICY, "reason": ""}

    async def _sending(self, message: Message) -> None:
        if self._over:
            raise SessionEnded("the session has ended")
        await self._send(message)
        if message["type"] == "websocket.accept" and self._watch is None:
            self._watch = asyncio.create_task(self._watching())

    async def _watching(self) -> None:
        found = await self._guard.ended(self._token)
        await self._close(POLICY if found is Verdict.REFUSED else AGAIN)

    async def _close(self, code: int) -> None:
        if not self._over:
            self._over = True
            await self._send({"type": "websocket.close", "code": code})


TYPE = b"content-type"


def _tell(scope: Scope, who: Identity | None, *, anew: bool) -> None:
    if anew:
        scope["user"] = who
    else:
        scope.setdefault("user", None)
    scope.setdefault("state", {})["lastcall"] = who


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    kind = "http"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            code = POLICY if refusal.status == 401 else AGAIN
            await send({"type": "websocket.close", "code": code})
            return
        kind = "websocket.http"
    headers = [(name.encode(), value.encode()) for name, value in refusal.headers]
    await send({"type": f"{kind}.response.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": refusal.body})
