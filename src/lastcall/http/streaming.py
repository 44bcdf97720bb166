"""Answers that go on: sent piece by piece, until they end, the other side leaves, or we stop."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from lastcall.domain.errors import Busy
from lastcall.http.replies import Send
from lastcall.wire import Holder, Reply

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

TICK = 0.25
"""Seconds after which a stream with nothing to say looks whether the server stops."""

MOST = {"account": 128, "service": 512}
"""Streams and long waits at once in one server, of all people and of all services."""

MOST_OF_ONE = {"account": 8, "service": 128}


@dataclass(slots=True)
class Streams:
    """How many are open, by whom."""

    of_one: Counter[Holder] = field(default_factory=Counter)
    of_kind: Counter[str] = field(default_factory=Counter)

    def full_for(self, holder: Holder) -> bool:
        kind = holder.kind
        return self.of_kind[kind] >= MOST[kind] or self.of_one[holder] >= MOST_OF_ONE[kind]

    def begin(self, holder: Holder) -> None:
        self.of_one[holder] += 1
        self.of_kind[holder.kind] += 1

    def end(self, holder: Holder) -> None:
        self.of_kind[holder.kind] -= 1
        self.of_one[holder] -= 1
        if not self.of_one[holder]:
            del self.of_one[holder]

    @contextmanager
    def held(self, holder: Holder) -> Iterator[None]:
        """A place for something else that goes on for long. Raises `Busy` when there is none."""
        if self.full_for(holder):
            raise Busy("too many streams are open")
        self.begin(holder)
        try:
            yield
        finally:
            self.end(holder)


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
    streams.begin(reply.holder)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.body:
            await _piece(send, reply.body)
        await _pieces(send, reply.stream, gone, stopping)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        streams.end(reply.holder)
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
