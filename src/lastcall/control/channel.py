"""The channel beside a store: a socket only its owner can open, one question a connection."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog

from lastcall.control.accounts import BadLines
from lastcall.control.records import Result
from lastcall.domain.errors import AuthorityError, StoreUnavailable

log = structlog.stdlib.get_logger("control")

LARGEST = 64 * 1024 * 1024
"""Bytes of one question."""

SECONDS = 60.0
"""How long a question may take to arrive, and its answer to be taken; not to be found."""

LONGEST_PATH = 100
"""What fits into a socket's address, on every system."""

Answerer = Callable[[str, Mapping[str, Any]], Awaitable[Result]]


class Refused(Exception):
    """The answer was no. `code` is the error's stable code; `problems` are of an account file."""

    def __init__(self, code: str, text: str, problems: list[tuple[int, str]]) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.problems = problems


class NobodyThere(Exception):
    """No server has this store open."""


def socket_of(store: Path) -> Path:
    return store.with_name(store.name + ".sock")


def refused(error: AuthorityError) -> Refused:
    problems = list(error.problems) if isinstance(error, BadLines) else []
    return Refused(error.code, error.detail or str(error), problems)


class Channel:
    """The server's end. `open` replaces what an earlier server may have left."""

    def __init__(self, path: Path, answer: Answerer) -> None:
        self._path = path
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Only for the holder of the store's lock: whatever is in the way is a leftover."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with _address(self._path) as address:
                listening.bind(address)
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LARGEST)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
            with suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await self._answered(reader, writer.get_extra_info("socket")))
            async with asyncio.timeout(SECONDS):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, peer: socket.socket) -> bytes:
        try:
            _require_owner(peer)
            async with asyncio.timeout(SECONDS):
                question = await _question(reader)
            return await self._result(question)
        except AuthorityError as error:
            said = refused(error)
            return _no(said.code, said.text, said.problems)

    async def _result(self, question: "Question") -> bytes:
        try:
            result = await self._answer(question.operation, question.parameters)
            return msgspec.json.encode({"result": result})
        except AuthorityError:
            raise
        except Exception as error:
            log.error("operator's command failed", operation=question.operation, exc_info=error)
            return _no("error", "the server failed at it, and its log says where")


def _no(code: str, text: str, problems: Sequence[tuple[int, str]] = ()) -> bytes:
    return msgspec.json.encode({"error": {"code": code, "text": text, "problems": problems}})


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    operation: str
    parameters: dict[str, Any]


async def _question(reader: asyncio.StreamReader) -> Question:
    body = b""
    while part := await reader.read(1 << 16):
        body += part
        if len(body) > LARGEST:
            raise Unreadable("the question is too long")
    try:
        return msgspec.json.decode(body, type=Question)
    except msgspec.DecodeError as error:
        raise Unreadable("the question cannot be read") from error


class Unreadable(AuthorityError):
    code = "unreadable"


def _require_owner(peer: socket.socket) -> None:
    """The socket's mode says so already; where the system can vouch for the peer, ask it too."""
    if not hasattr(socket, "SO_PEERCRED"):
        return
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if user not in (0, os.geteuid()):
        raise Unreadable("another user's process")


def ask(path: Path, operation: str, parameters: Mapping[str, Any]) -> Result:
    """Put one question to the server that has the store open, and wait for its answer.

    Raises `Refused` for a no, `NobodyThere` when no server listens.
    """
    question = msgspec.json.encode({"operation": operation, "parameters": parameters})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        try:
            with _address(path) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            raise NobodyThere from error
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(None)  # a long account file takes as long as its passwords do
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    try:
        body = msgspec.json.decode(answer)
    except msgspec.DecodeError as error:
        raise StoreUnavailable("the server went away before it answered") from error
    if "error" in body:
        said = body["error"]
        raise Refused(said["code"], said["text"], [(line, text) for line, text in said["problems"]])
    return dict(body["result"])


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """An address that is short enough, also where the path is not."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
