"""The least client that can ask thousands of times a second: keep-alive, one call at a time."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 120.0
"""Seconds for an answer; a process that was stopped answers when it goes on."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Unanswered(Exception):
    """Refused, reset, cut short or too late: whether the call was obeyed is not known."""


class Line:
    """One connection to one node, made when it is needed and again after it broke."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self,
        method: str,
        path: str,
        token: str = "",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises `Unanswered`."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._ask(_request(self.host, method, path, token, body, headers))
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise Unanswered(str(error)) from error
        except asyncio.CancelledError:
            self.close()
            raise

    async def _ask(self, request: bytes) -> Answer:
        if self.hung_up():
            self.close()
        if self._streams is None:
            host, _, port = self.host.partition(":")
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = 0
        close = False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            lowered = name.lower()
            if lowered == b"content-length":
                length = int(value)
            elif lowered == b"connection":
                close = value.strip().lower() == b"close"
        content = (
            await reader.readexactly(length) if length and not request.startswith(b"HEAD") else b""
        )
        if close:
            self.close()
        return Answer(status, content)

    def hung_up(self) -> bool:
        """Whether the node has closed it, as it does with a line that is idle for long."""
        return self._streams is not None and self._streams[0].at_eof()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def _request(
    host: str,
    method: str,
    path: str,
    token: str,
    body: object,
    headers: Mapping[str, str] | None,
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    content = b""
    if isinstance(body, str):
        content = body.encode()
        lines.append("Content-Type: application/x-www-form-urlencoded")
    elif body is not None:
        content = json.dumps(body).encode()
        lines.append("Content-Type: application/json")
    if content or method != "GET":
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content
