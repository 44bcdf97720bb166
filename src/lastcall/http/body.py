"""Reading a request's body: no more than is allowed, and no longer than is allowed."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from lastcall.wire import TooLarge, TooSlow

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

DISCARDED = 32
"""How many bodies' worth of bytes are read and dropped so that a refusal can be heard."""


class Disconnected(Exception):
    """The client went away before its request was complete."""


async def read_body(receive: Receive, announced: str, limit: int, seconds: float) -> bytes:
    """Raises `TooLarge`, `TooSlow` or `Disconnected`. `announced` is the Content-Length, if any."""
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in _parts(receive):
                size += len(part)
                if size > limit:
                    raise TooLarge
                parts.append(part)
    except TimeoutError as late:
        raise TooSlow from late
    return b"".join(parts)


async def discard(receive: Receive, limit: int, seconds: float) -> None:
    """Read on without keeping it: a client that is still sending would not see the answer."""
    left = limit * DISCARDED
    try:
        async with asyncio.timeout(seconds):
            async for part in _parts(receive):
                left -= len(part)
                if left < 0:
                    return
    except (TimeoutError, Disconnected):
        return


async def _parts(receive: Receive) -> Any:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)
