"""Asking an ASGI application directly, byte for byte, and putting one together for it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lastcall.dialects import DIALECTS
from lastcall.domain.errors import AuthorityError, Invalid
from lastcall.domain.types import DialectName
from lastcall.http import Asgi, Mount, Readiness, ServerFacts, build
from lastcall.metrics import Metrics
from lastcall.wire import Call, Dialect, DialectSettings, Reply, Route, json_reply
from tests.world import World

HOST = ("Host", "127.0.0.1:8700")


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        values = [value for known, value in self.headers if known.lower() == name.lower()]
        assert len(values) < 2, f"{name} is repeated"
        return values[0] if values else ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """An application, and everything that was given to it."""

    app: Asgi
    state: Readiness
    metrics: Metrics
    seen: list[Call[Any]] = field(default_factory=list)


async def ask(
    app: Asgi,
    method: str,
    target: str,
    *headers: tuple[str, str],
    body: bytes | Sequence[bytes] = b"",
    peer: tuple[str, int] | None = ("192.0.2.7", 4711),
    host: bool = True,
    version: str = "1.1",
    stall: bool = False,
    leave: bool = False,
    gone: bool = False,
) -> Answer:
    """`stall`: the body never ends. `leave`: the client is gone after what it has sent, and
    `gone`: after all of it."""
    path, _, query = target.partition("?")
    given = [*([HOST] if host else []), *headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": version,
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given],
        "client": peer,
        "server": ("127.0.0.1", 8700),
    }
    parts = [body] if isinstance(body, bytes) else list(body)
    incoming = [
        {"type": "http.request", "body": part, "more_body": stall or leave or n < len(parts)}
        for n, part in enumerate(parts, 1)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop(0)
        if not (leave or gone):
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    if not sent:
        return Answer(0, [], b"")
    start, *rest = sent
    return Answer(
        start["status"],
        [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]],
        b"".join(part.get("body", b"") for part in rest),
    )


def serve(
    world: World,
    *mounts: Mount,
    public_url: str = "http://127.0.0.1:8700",
    demo: Any = None,
    **facts: Any,
) -> Served:
    """Every dialect, unless told which."""
    chosen = mounts or [Mount(dialect=one, settings=one.settings()) for one in DIALECTS]
    state, metrics = Readiness(), Metrics()
    world.env.store.on_record = lambda record: metrics.record(record.event)  # type: ignore[attr-defined]  # of the stores there are, not of the port
    app = build(
        world.env,
        mounts=chosen,
        server=ServerFacts(public_url=public_url, **facts),
        state=state,
        limiter=world.limiter,
        metrics=metrics,
        demo=demo,
    )
    return Served(app, state, metrics)


def echo(
    name: str = "echo", prefix: str = "/echo/", reply: Reply | None = None, **settings: Any
) -> tuple[Mount, list[Call[Any]]]:
    """A dialect that remembers its calls and answers each with `reply`."""
    calls: list[Call[Any]] = []

    async def handler(call: Call[Any]) -> Reply:
        calls.append(call)
        return reply or json_reply({"by": name, "body": len(call.body)})

    async def unknown(call: Call[Any]) -> Reply:
        return json_reply({"unknown to": name}, 404)

    def refuse(_call: Call[Any], error: AuthorityError) -> Reply:
        return json_reply({"refused by": name, "code": error.code}, 400)

    async def fail(_call: Call[Any]) -> Reply:
        password = "canary-in-a-variable"
        raise RuntimeError(f"canary-in-a-message {password}")

    async def invalid(_call: Call[Any]) -> Reply:
        raise Invalid("x", "is wrong")

    dialect = Dialect[DialectSettings](
        name=DialectName(name),
        settings=DialectSettings,
        prefixes=(prefix,),
        routes=(
            Route("GET,HEAD,POST,DELETE", f"{prefix.rstrip('/')}/ok", handler),
            Route("GET,POST", f"{prefix.rstrip('/')}/fail", fail),
            Route("GET", f"{prefix.rstrip('/')}/invalid", invalid),
            Route("GET", f"{prefix.rstrip('/')}/token/{{token}}", handler),
            Route("GET", "/", handler),
        ),
        refuse=refuse,
        unknown=unknown,
    )
    return Mount(dialect=dialect, settings=DialectSettings(**settings)), calls
