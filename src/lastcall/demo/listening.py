"""A web server of a few lines, for applications that exist to be told things."""

import asyncio
import json
import random
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below what systems give to connections that go out, so that a port is free again next time."""

LONGEST = 64 * 1024
SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = tuple[int, Any]
Handler = Callable[[Asked], Awaitable[Answer]]


def bound(port: int | None) -> socket.socket:
    """A port of our own, or that very one; nobody is let in yet. Raises `OSError`."""
    wanted = [port] if port else random.sample(PORTS, 50)
    for one in wanted:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((HOST, one))
        except OSError:
            made.close()
            if one == wanted[-1]:
                raise
        else:
            return made
    raise AssertionError


async def listen(place: socket.socket, handler: Handler) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                status, value = await handler(await _asked(reader))
                writer.write(_written(status, value))
                await writer.drain()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    return await asyncio.start_server(serve, sock=place, limit=LONGEST)


async def _asked(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= LONGEST:
        raise ValueError("too long")
    body = await reader.readexactly(length)
    return Asked(method=method, path=path, headers=headers, body=body)


def _written(status: int, value: Any) -> bytes:
    body = b"" if value is None else json.dumps(value).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
