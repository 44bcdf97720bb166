"""The channel between an operator's command and the server."""

import asyncio
import io
import json
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lastcall.control.accounts import BadLines
from lastcall.control.channel import Channel, NobodyThere, Refused, ask, socket_of
from lastcall.domain.errors import Invalid, StoreUnavailable


async def answer(operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    match operation:
        case "echo":
            return parameters
        case "bad":
            raise BadLines([(3, "wrong")])
        case "break":
            raise RuntimeError("unforeseen")
        case _:
            raise Invalid("operation", "is unknown")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    path = socket_of(tmp_path / "lastcall.db")
    path.touch()  # what an earlier server may have left
    channel = Channel(path, answer)
    await channel.open()
    yield path
    await channel.close()
    await channel.close()
    assert not path.exists()


async def asked(path: Path, operation: str, **parameters: Any) -> Mapping[str, Any]:
    return await asyncio.to_thread(ask, path, operation, parameters)


async def test_question_and_answer(path: Path) -> None:
    assert await asked(path, "echo", text="x" * 200_000) == {"text": "x" * 200_000}


async def test_only_its_owner_may_open_it(path: Path) -> None:
    mode = await asyncio.to_thread(path.stat)
    assert stat.S_IMODE(mode.st_mode) == 0o600


async def test_refusals(path: Path) -> None:
    with pytest.raises(Refused) as caught:
        await asked(path, "nonsense")
    assert (caught.value.code, caught.value.text) == ("invalid", "operation is unknown")
    with pytest.raises(Refused) as caught:
        await asked(path, "bad")
    assert caught.value.problems == [(3, "wrong")]


async def test_what_is_no_question(path: Path) -> None:
    def raw(data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1000)

    assert b'"unreadable"' in await asyncio.to_thread(raw, b'{"operation": 1}')
    assert b'"unreadable"' in await asyncio.to_thread(raw, b"")


async def test_what_nobody_foresaw_is_said_and_logged(path: Path, logged: io.StringIO) -> None:
    with pytest.raises(Refused, match="its log says where") as caught:
        await asked(path, "break")
    assert caught.value.code == "error"
    line = json.loads(logged.getvalue())
    assert (line["operation"], line["error"]) == ("break", "RuntimeError")
    assert "unforeseen" not in logged.getvalue()


async def test_a_server_that_goes_away(tmp_path: Path) -> None:
    def hang_up(listening: socket.socket) -> None:
        with listening.accept()[0] as connection:
            connection.recv(1_000)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "sock"))
        listening.listen()
        gone = asyncio.create_task(asyncio.to_thread(hang_up, listening))
        with pytest.raises(StoreUnavailable, match="went away"):
            await asked(tmp_path / "sock", "echo")
        await gone


def test_nobody_there(tmp_path: Path) -> None:
    for name in ("absent", "leftover"):
        path = tmp_path / name
        if name == "leftover":
            with socket.socket(socket.AF_UNIX) as closed:
                closed.bind(str(path))
        with pytest.raises(NobodyThere):
            ask(path, "echo", {})


async def test_a_path_too_long_for_an_address(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = socket_of(folder / "lastcall.db")
    channel = Channel(path, answer)
    await channel.open()
    assert await asked(path, "echo") == {}
    await channel.close()
    assert not path.exists()
