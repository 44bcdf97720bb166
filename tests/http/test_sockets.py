"""Bytes no client should send, sent to the real server on a real port."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lastcall.wire import Call, Reply
from tests.http.asgi import echo, serve
from tests.http.sockets import PATIENCE, Wire, connected, listening
from tests.world import make_world

pytestmark = pytest.mark.e2e

HOST = b"Host: 127.0.0.1\r\n"
GOOD = b"GET /echo/ok HTTP/1.1\r\n" + HOST + b"\r\n"


@dataclass
class Running:
    port: int
    calls: list[Call[Any]]


@pytest.fixture
async def running(logged: io.StringIO) -> AsyncIterator[Running]:
    """A server whose one dialect remembers what reached it, and which is well afterwards."""
    async with serving(logged, hasty=False) as one:
        yield one


@pytest.fixture
async def hasty(logged: io.StringIO) -> AsyncIterator[Running]:
    """One that waits for nobody."""
    async with serving(logged, hasty=True) as one:
        yield one


@asynccontextmanager
async def serving(logged: io.StringIO, *, hasty: bool) -> AsyncIterator[Running]:
    mount, calls = echo()
    seconds = 1.0 if hasty else PATIENCE
    app = serve(await make_world(), mount, max_body=1_000_000, body_seconds=seconds).app
    async with listening(app, hasty=hasty) as port:
        yield Running(port, calls)
        async with connected(port) as wire:
            await wire.send(GOOD)
            assert (await wire.answer()).status == 200, "it still serves"
    assert "Traceback" not in logged.getvalue()
    assert '"event":"failed"' not in logged.getvalue()


async def test_a_connection_is_kept(running: Running) -> None:
    async with connected(running.port) as wire:
        for _ in range(2):
            await wire.send(GOOD)
            answer = await wire.answer()
            assert answer.status == 200
            assert answer.header("date")
            assert not answer.header("server")
            assert not answer.header("connection")
        await wire.send(b"HEAD /echo/ok HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await wire.answer(bodiless=True)).status == 200
        await wire.send(GOOD)
        assert (await wire.answer()).status == 200, "HEAD had no body"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /echo/ok HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET /echo/ok HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET /echo/ok HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
        b"GET /echo/ok HTTP/1.1\r\n" + HOST + b"X: a\nEvil: b\r\n\r\n",
        b"GET /echo/ok HTTP/1.1\r\n" + HOST + b"X: a\rEvil: b\r\n\r\n",
        b"GET /echo/ok HTTP/1.1\r\n" + HOST + b"X\x00: a\r\n\r\n",
        b"GET /echo/ok\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /echo/ok\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /echo/ok HTTP/9.9\r\n" + HOST + b"\r\n",
        b"get /echo/ok HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /echo/ok HTTP/1.1\r\n\r\n",
        b"GET /echo/ok HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    ],
)
async def test_what_is_not_quite_http_is_refused(running: Running, request_: bytes) -> None:
    async with connected(running.port) as wire:
        await wire.send(request_)
        answer = await wire.answer()
        assert answer.status in (400, 404, 501)
        if answer.status == 400:
            assert await wire.closed()
    assert not running.calls


SMUGGLED = b"POST /echo/ok HTTP/1.1\r\n" + HOST + b"X-Smuggled: 1\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        b"Content-Length: 0, 0\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length: 0x0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\n\r\n\r\n",
    ],
)
async def test_two_ways_to_end_a_body_are_one_too_many(running: Running, framing: bytes) -> None:
    async with connected(running.port) as wire:
        await wire.send(b"POST /echo/ok HTTP/1.1\r\n" + HOST + framing + SMUGGLED)
        await wire.answer()
        assert (await wire.answer()).status == 0, "nothing after it is answered"
    assert not [call for call in running.calls if "x-smuggled" in call.headers]


async def test_requests_in_a_row_are_answered_in_order(running: Running) -> None:
    bodies = [b"a" * size for size in (3, 0, 70_000, 7)]
    async with connected(running.port) as wire:
        await wire.send(
            b"".join(
                b"POST /echo/ok HTTP/1.1\r\n"
                + HOST
                + b"Content-Length: %d\r\n\r\n" % len(body)
                + body
                for body in bodies
            )
        )
        assert [(await wire.answer()).json["body"] for _ in bodies] == [len(one) for one in bodies]


async def test_nonsense_behind_a_request_does_not_take_its_answer(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(GOOD + GOOD + b"nonsense\r\n\r\n" + GOOD)
        assert (await wire.answer()).status == 200
        assert (await wire.answer()).status == 200
        assert await wire.closed()
    assert len(running.calls) == 2


@pytest.mark.parametrize("chunked", [False, True])
async def test_ten_megabytes_are_refused_so_that_it_can_be_heard(
    running: Running, *, chunked: bool
) -> None:
    head = b"POST /echo/ok HTTP/1.1\r\n" + HOST
    async with connected(running.port) as wire:
        if chunked:
            await wire.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(160):
                await wire.send(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await wire.send(b"0\r\n\r\n")
        else:
            await wire.send(head + b"Content-Length: 10485760\r\n\r\n" + b"x" * 10_485_760)
        answer = await wire.answer()
        assert (answer.status, answer.json["code"]) == (413, "too-large")
        assert await wire.closed()
    assert not running.calls


async def test_a_hundred_thousand_parameters_are_refused(running: Running) -> None:
    query = b"&".join(b"p%d=1" % number for number in range(100_000))
    async with connected(running.port) as wire:
        await wire.send(b"GET /echo/ok?" + query + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await wire.answer()).status in (0, 414, 431)
    assert not running.calls


async def test_a_bomb_of_headers_is_refused_before_it_is_over(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(b"GET /echo/ok HTTP/1.1\r\n" + HOST)
        for number in range(20_000):
            await wire.send(b"X-%d: %s\r\n" % (number, b"x" * 100))
        assert (await wire.answer()).status in (0, 431)
    async with connected(running.port) as wire:
        await wire.send(b"GET /echo/ok HTTP/1.1\r\n" + HOST + b"X: ")
        for _ in range(100):
            await wire.send(b"x" * 10_000)
        assert (await wire.answer()).status in (0, 431)
    assert not running.calls


async def test_endless_chunk_framing_is_cut_off(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(
            b"POST /echo/ok HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(100):
            await wire.send(b"1;" + b"x" * 10_000 + b"\r\na\r\n")
        assert (await wire.answer()).status in (0, 400)
    assert not running.calls


async def test_a_head_that_drips_is_not_waited_for(hasty: Running) -> None:
    async with connected(hasty.port) as wire:
        await wire.send(b"GET /echo/ok HT")
        answer = await wire.answer()
        assert (answer.status, answer.header("connection")) == (408, "close")
        assert await wire.closed()
    async with connected(hasty.port) as wire:
        assert await wire.closed(), "nothing sent, nothing said"


async def test_a_body_that_drips_is_not_waited_for(hasty: Running) -> None:
    async with connected(hasty.port) as wire:
        await wire.send(b"POST /echo/ok HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
        answer = await wire.answer()
        assert (answer.status, answer.json["code"]) == (408, "too-slow")
        assert await wire.closed()
    assert not hasty.calls


async def test_trailers_are_not_headers(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(
            b"POST /echo/ok HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: Bearer x\r\n\r\n"
        )
        assert (await wire.answer()).json["body"] == 3
    (call,) = running.calls
    assert set(call.headers) == {"host", "transfer-encoding"}


async def test_continue_is_said_when_it_is_waited_for(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(
            b"POST /echo/ok HTTP/1.1\r\n"
            + HOST
            + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )
        assert (await wire.answer(bodiless=True)).status == 100
        await wire.send(b"abc")
        assert (await wire.answer()).json["body"] == 3
    async with connected(running.port) as wire:
        await wire.send(
            b"POST /echo/ok HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n"
            b"Content-Length: 9999999\r\n\r\n"
        )
        while (answer := await wire.answer(bodiless=True)).status == 100:
            await wire.send(b"")
        assert answer.status == 413


async def test_an_old_client_is_answered_once(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(b"GET /echo/ok HTTP/1.0\r\n\r\n")
        assert (await wire.answer()).status == 200
        assert await wire.closed()


async def test_the_target_may_be_absolute_if_it_agrees_with_the_host(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(b"GET http://evil.example/echo/ok HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await wire.answer()).status == 400
        assert await wire.closed()
    async with connected(running.port) as wire:
        await wire.send(b"GET http://127.0.0.1/echo/ok HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await wire.answer()).status == 200
    (call,) = running.calls
    assert (call.host, call.path) == ("127.0.0.1", "/echo/ok")


async def test_an_upgrade_is_not_had_here(running: Running) -> None:
    async with connected(running.port) as wire:
        await wire.send(
            b"GET /echo/ok HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert (await wire.answer()).status == 200


async def test_a_client_that_leaves_in_the_middle_disturbs_nobody(running: Running) -> None:
    async def leave(wire: Wire) -> None:
        await wire.send(b"POST /echo/ok HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
        await asyncio.sleep(0.05)

    for _ in range(5):
        async with connected(running.port) as wire:
            await leave(wire)
    await asyncio.sleep(0.1)
    assert not running.calls


async def test_who_reads_nothing_is_let_go(logged: io.StringIO) -> None:
    """Of an answer without an end no more is kept than one buffer, and that not for long."""
    flowing: list[bool] = []

    async def flow() -> AsyncIterator[bytes]:
        flowing.append(True)
        try:
            while True:
                yield b"x" * 65_536
        finally:
            flowing.clear()

    mount, _ = echo(reply=Reply(stream=flow()))
    async with listening(serve(await make_world(), mount).app, hasty=True) as port:
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(GOOD)
            async with asyncio.timeout(PATIENCE):
                while not flowing:  # noqa: ASYNC110  # nothing tells a test
                    await asyncio.sleep(0.01)
                while flowing:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    assert "Traceback" not in logged.getvalue()
