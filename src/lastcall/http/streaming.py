"""Answers that go on: sent piece by piece, until they end, the other side leaves, or we stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lastcall.http.replies import Send
from lastcall.wire import Reply

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

TICK = 0.25
"""Seconds after which a stream with nothing to say looks whether the server stops."""

MOST = 128
"""Streams open at once in one server."""


@dataclass(slots=True)
class Streams:
    """How many are open."""

    open: int = 0

    @property
    def full(self) -> bool:
        return self.open >= MOST


async def closed(reply: Reply) -> Reply:
    """The reply without its stream, which ends here."""
    if reply.stream is not None:
        await _close(reply.stream)
    return Reply(status=reply.status, body=reply.body, headers=reply.headers)


async def send_stream(
    send: Send,
    receive: Receive,
    reply: Reply,
    streams: Streams,
    *,
    stopping: Callable[[], bool],
) -> None:
    """The head, the body, then whatever the stream gives."""
    assert reply.stream is not None
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    streams.open += 1
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.body:
            await _piece(send, reply.body)
        await _pieces(send, reply.stream, gone, stopping)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        streams.open -= 1
        gone.cancel()
        await _close(reply.stream)


async def _pieces(
    send: Send,
    stream: AsyncIterator[bytes],
    gone: "asyncio.Future[Any]",
    stopping: Callable[[], bool],
) -> None:
    step: asyncio.Future[Any] = asyncio.ensure_future(_next(stream))
    try:
        while not (gone.done() or stopping()):
            await asyncio.wait({step, gone}, timeout=TICK, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                continue
            piece = step.result()
            if piece is None:
                return
            await _piece(send, piece)
            step = asyncio.ensure_future(_next(stream))
    finally:
        step.cancel()
        with suppress(asyncio.CancelledError):
            await step


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    async for piece in stream:
        return piece
    return None


async def _piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(stream: AsyncIterator[bytes]) -> None:
    """Generators hold what they use until they are closed."""
    end = getattr(stream, "aclose", None)
    if end is not None:
        await end()
