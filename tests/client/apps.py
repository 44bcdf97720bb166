"""An application on each framework, guarded by one line: `python -m tests.client.apps KIND PORT`.

Each has /me, which tells who is asking, /public/hello, which is left out, and two answers that
never end by themselves: /events (server-sent) and /download.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn

from lastcall.client import Identity
from lastcall.client.asgi import LastcallMiddleware

SETTINGS: dict[str, Any] = {
    "url": os.environ.get("LASTCALL_URL", ""),
    "service": os.environ.get("LASTCALL_SERVICE", "wiki"),
    "secret": os.environ.get("LASTCALL_SECRET", ""),
    "cookie": "session",
    "public": ["/public/"],
    "lease": float(os.environ.get("LASTCALL_LEASE", "2")),
    "patience": 60.0,
    "required": os.environ.get("ANONYMOUS") is None,
}
PACE = 0.02


def name_of(who: Identity | None) -> dict[str, str | None]:
    return {"user": who.username if who else None}


async def ticks() -> AsyncIterator[bytes]:
    while True:
        yield b"data: tick\n\n"
        await asyncio.sleep(PACE)


def slow_ticks() -> Iterator[bytes]:
    while True:
        yield b"data: tick\n\n"
        time.sleep(PACE)


def on_starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    async def me(request: Request) -> Response:
        return JSONResponse(name_of(request.user))

    async def hello(_request: Request) -> Response:
        return JSONResponse({})

    async def events(_request: Request) -> Response:
        return StreamingResponse(ticks(), media_type="text/event-stream")

    async def download(_request: Request) -> Response:
        return StreamingResponse(ticks(), media_type="application/octet-stream")

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(f"{socket.user.username}: {text}")

    return Starlette(
        routes=[
            Route("/me", me),
            Route("/public/hello", hello),
            Route("/events", events),
            Route("/download", download),
            WebSocketRoute("/echo", echo),
        ],
        middleware=[Middleware(LastcallMiddleware, **SETTINGS)],
    )


def on_fastapi() -> Any:
    from fastapi import FastAPI, Request
    from fastapi.responses import StreamingResponse

    app = FastAPI()
    app.add_middleware(LastcallMiddleware, **SETTINGS)

    @app.get("/me")
    async def me(request: Request) -> dict[str, str | None]:
        return name_of(request.user)

    @app.get("/public/hello")
    async def hello() -> dict[str, str]:
        return {}

    @app.get("/events")
    async def events() -> StreamingResponse:
        return StreamingResponse(ticks(), media_type="text/event-stream")

    @app.get("/download")
    async def download() -> StreamingResponse:
        return StreamingResponse(ticks(), media_type="application/octet-stream")

    return app


def on_litestar() -> Any:
    from litestar import Litestar, Request, get
    from litestar.middleware import DefineMiddleware
    from litestar.response import Stream

    @get("/me")
    async def me(request: Request[Any, Any, Any]) -> dict[str, str | None]:
        return name_of(request.user)

    @get("/public/hello")
    async def hello() -> dict[str, str]:
        return {}

    @get("/events")
    async def events() -> Stream:
        return Stream(ticks(), media_type="text/event-stream")

    @get("/download")
    async def download() -> Stream:
        return Stream(ticks(), media_type="application/octet-stream")

    return Litestar(
        [me, hello, events, download],
        middleware=[DefineMiddleware(LastcallMiddleware, **SETTINGS)],
    )


def on_flask() -> Any:
    from flask import Flask, Response, g

    from lastcall.client.flask import Lastcall

    app = Flask("guarded")
    Lastcall(app, **SETTINGS)

    @app.get("/me")
    def me() -> dict[str, str | None]:
        return name_of(g.lastcall)

    @app.get("/public/hello")
    def hello() -> dict[str, str]:
        return {}

    @app.get("/events")
    def events() -> Response:
        return Response(slow_ticks(), mimetype="text/event-stream")

    @app.get("/download")
    def download() -> Response:
        return Response(slow_ticks(), mimetype="application/octet-stream")

    return app


def _django() -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="for the tests alone",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.client.django_urls",
        MIDDLEWARE=["lastcall.client.django.LastcallMiddleware"],
        LASTCALL=SETTINGS,
    )
    django.setup()


def on_django() -> Any:
    from django.core.wsgi import get_wsgi_application

    _django()
    return get_wsgi_application()


def on_django_asgi() -> Any:
    from django.core.asgi import get_asgi_application

    os.environ["DJANGO_STREAMS"] = "async"
    _django()
    return get_asgi_application()


ASGI: dict[str, Callable[[], Any]] = {
    "starlette": on_starlette,
    "fastapi": on_fastapi,
    "litestar": on_litestar,
    "django-asgi": on_django_asgi,
}
WSGI: dict[str, Callable[[], Any]] = {"flask": on_flask, "django": on_django}


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def main(kind: str, port: int) -> None:
    if kind in ASGI:
        uvicorn.run(ASGI[kind](), port=port, log_level="warning", timeout_graceful_shutdown=1)
        return
    app = WSGI[kind]()
    with make_server("127.0.0.1", port, app, _Threads, _Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
