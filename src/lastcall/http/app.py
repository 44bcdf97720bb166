"""The ASGI application: from a request to the dialect that answers it, and back."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import msgspec
import structlog

from lastcall.domain.errors import AuthorityError, Busy
from lastcall.domain.types import DialectName, TenantId
from lastcall.http.body import Disconnected, discard, read_body
from lastcall.http.client import Proxies
from lastcall.http.facts import Mount, Readiness, ServerFacts
from lastcall.http.head import Head, RequestIds, read_head
from lastcall.http.lane import Lane
from lastcall.http.mounts import Mounts
from lastcall.http.operations import PATHS, operation
from lastcall.http.redaction import shown_path, shown_query
from lastcall.http.replies import Send, problem, safe, send_reply
from lastcall.http.streaming import Receive, Streams, closed, send_stream
from lastcall.metrics import Metrics, counted
from lastcall.ports import Env, Store
from lastcall.ports.tracing import Span, Tracer, Untraced
from lastcall.wire import Call, Limiter, Reply, TooLarge, TooSlow, Trail

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.stdlib.get_logger("http")

SERVER = DialectName("server")
"""The name under which what no dialect answered is counted."""

STATUS_OF = {TooLarge: 413, TooSlow: 408}
CLIENT_LEFT = 499
DISCARD_SECONDS = 2.0


def build(
    env: Env,
    *,
    mounts: Sequence[Mount],
    server: ServerFacts,
    state: Readiness,
    limiter: Limiter,
    metrics: Metrics | None = None,
    demo: Any = None,
    tracer: Tracer | None = None,
) -> Asgi:
    """The application over these wires. `demo` is what `GET /demo.json` shows, None for a 404."""
    figures, tracer = metrics or Metrics(), tracer or Untraced()
    env, store = replace(env, store=counted(env.store, env.clock, figures)), env.store
    enabled, ids = Mounts(mounts), RequestIds(env.entropy)
    proxies = Proxies(server.trusted_proxies)
    return Assembly(
        env=env,
        store=store,
        mounts=enabled,
        server=server,
        proxies=proxies,
        state=state,
        limiter=limiter,
        figures=figures,
        demo=demo,
        tracer=tracer,
        ids=ids,
        lane=Lane(env, enabled, server, state, figures, ids, proxies, traced=tracer.on),
    )


class Asked(msgspec.Struct):
    """One request on its way, and what is noted of it. `started` as `perf_counter` tells time."""

    head: Head
    started: float
    trail: Trail = msgspec.field(default_factory=Trail)
    dialect: DialectName = SERVER
    tenant: TenantId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """`store` is the one in `env` without the counting, for questions of the server's own."""

    env: Env
    store: Store
    mounts: Mounts
    server: ServerFacts
    proxies: Proxies
    state: Readiness
    limiter: Limiter
    figures: Metrics
    demo: Any
    tracer: Tracer
    ids: RequestIds
    lane: Lane
    streams: Streams = field(default_factory=Streams)
    log: Any = field(default_factory=log.bind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1000})
        asked = self._asked(scope)
        head = asked.head
        if not self.tracer.on or head.path in PATHS:
            await self._serve(asked, receive, send)
            return None
        with self.tracer.begin(head.method, head.traceparent) as span:
            status = await self._serve(asked, receive, send)
            _tell(span, asked, status)
        return None

    async def at_once(self, scope: Scope, body: bytes) -> Reply:
        """The answer to a request that is all there, of a hot route; it may be begun by anybody.

        That is outside of any task, too; it is the task that goes on with it, if it has to wait.
        """
        asked = self._asked(scope)
        reply = self._finished(asked.head, await self._answer(asked, body))
        self._note(asked, reply.status)
        return reply

    def _asked(self, scope: Scope) -> Asked:
        started = perf_counter()
        return Asked(read_head(scope, self.proxies, self.ids), started)

    async def _serve(self, asked: Asked, receive: Receive, send: Send) -> int:
        """With which status. A stream's time is the one until it begins."""
        try:
            reply = self._finished(asked.head, await self._answer(asked, receive))
        except Disconnected:
            asked.dialect, asked.tenant = SERVER, None
            self._note(asked, CLIENT_LEFT)
            return CLIENT_LEFT
        if reply.stream is None:
            await send_reply(send, reply, head_only=asked.head.method == "HEAD")
            self._note(asked, reply.status)
        else:
            self._note(asked, reply.status)
            with self.figures.standing.streaming(asked.dialect, asked.trail.route):
                await send_stream(
                    send, receive, reply, self.streams, stopping=lambda: self.state.draining
                )
        return reply.status

    async def _answer(self, asked: Asked, body: Receive | bytes) -> Reply:
        head = asked.head
        if head.refusal is not None:
            if not isinstance(body, bytes):
                await discard(body, self.server.max_body, DISCARD_SECONDS)
            return head.refusal.plus(("Connection", "close"))
        mount = self.mounts.of_host(head.host_name)
        if mount is None and head.path in PATHS:
            reply = await self._of_the_server(head)
            if reply is not None:
                asked.trail.route = head.path
                return reply
        mount = mount or self.mounts.of_path(head.path)
        if mount is None:
            return problem(404, "Not Found")
        call = self._call(head, asked.trail, mount)
        asked.dialect, asked.tenant = mount.dialect.name, call.tenant
        return await self._ask(mount, call, head, body)

    async def _of_the_server(self, head: Head) -> Reply | None:
        return await operation(
            head.path,
            head.method,
            self.store,
            self.state,
            self.figures,
            self.demo,
            self.env.clock,
        )

    async def _ask(self, mount: Mount, call: Call[Any], head: Head, body: Receive | bytes) -> Reply:
        dialect = mount.dialect
        if not isinstance(body, bytes):
            receive, limit = body, self.server.max_body
            try:
                body = await read_body(receive, head.announced, limit, self.server.body_seconds)
            except (TooLarge, TooSlow) as error:
                if isinstance(error, TooLarge):
                    await discard(receive, limit, DISCARD_SECONDS)
                reply = dialect.decline(call, error).with_(status=STATUS_OF[type(error)])
                return reply.plus(("Connection", "close"))
        try:
            reply = await dialect.answer(call.with_(body=body) if body else call)
            if reply.stream is not None and self.streams.full_for(reply.holder):
                await closed(reply)
                return dialect.decline(call, Busy("too many streams are open"))
            return await closed(reply) if head.method == "HEAD" else reply
        except Exception as error:
            log.error("failed", request=head.request_id, dialect=dialect.name, exc_info=error)
        try:
            return dialect.decline(call, AuthorityError())
        except Exception as error:
            log.error("speechless", request=head.request_id, dialect=dialect.name, exc_info=error)
            return problem(500, "Internal Server Error")

    def _call(self, head: Head, trail: Trail, mount: Mount) -> Call[Any]:
        claimed = self.server.tenant_hosts.get(head.host_name)
        return Call(
            env=self.env,
            settings=mount.settings,
            tenant=claimed or TenantId(mount.settings.tenant),
            tenant_by_host=claimed is not None,
            dialect=mount.dialect.name,
            method=head.method,
            path=head.path,
            query=head.query,
            headers=head.headers,
            address=head.client.address,
            port=head.client.port,
            scheme=head.client.scheme,
            host=head.client.host,
            public_url=self.server.public_url,
            request_id=head.request_id,
            limiter=self.limiter,
            places=self.streams,
            trail=trail,
        )

    def _finished(self, head: Head, reply: Reply) -> Reply:
        more = [("X-Request-Id", head.request_id)]
        if self.state.draining and not any(
            name.lower() == "connection" for name, _ in reply.headers
        ):
            more.append(("Connection", "close"))
        try:
            return safe(reply, *more)
        except ValueError as error:
            log.error("unsendable", request=head.request_id, exc_info=error)
        return safe(problem(500, "Internal Server Error"), *more)

    def _note(self, asked: Asked, status: int) -> None:
        """Count it; and log it, unless it is a check that went well or a look at the server."""
        head, trail, dialect = asked.head, asked.trail, asked.dialect
        seconds = perf_counter() - asked.started
        route = trail.route or "unknown"
        self.figures.answered(dialect, route, status, seconds, trail.refused, head.request_id)
        if status < 400 and (trail.check or (dialect == SERVER and route != "unknown")):
            return
        self.log.info(
            "request",
            method=head.method,
            path=shown_path(head.path, trail),
            query=shown_query(head.query),
            status=status,
            ms=round(seconds * 1000, 1),
            dialect=dialect,
            tenant=asked.tenant,
            request=head.request_id,
            address=head.client.address,
            refused=trail.refused.code if trail.refused else "",
        )


def _tell(span: Span, asked: Asked, status: int) -> None:
    """What the log shows too, but for the address."""
    head, trail = asked.head, asked.trail
    route = trail.route or "unknown"
    span.named(f"{head.method} {route}")
    span.tell("http.request.method", head.method)
    span.tell("http.route", route)
    span.tell("http.response.status_code", status)
    span.tell("lastcall.dialect", asked.dialect)
    span.tell("lastcall.request_id", head.request_id)
    if trail.refused is not None or status >= 500:
        span.failed(trail.refused.code if trail.refused else str(status))


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
