"""Answers in pieces under WSGI: whatever they are made of is closed when they are over."""

from collections.abc import Iterator

import pytest
from flask import Flask, Response

from lastcall.client import ThreadedGuard
from lastcall.client.flask import Lastcall
from tests.client.authority import FakeAuthority, who
from tests.client.running import bearer


class Source:
    """As a file or an upstream's answer is: it has to be closed by whoever took it."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"one"
        yield b"two"

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def guard() -> Iterator[ThreadedGuard]:
    authority = FakeAuthority(sessions={"t": who("john")})
    with ThreadedGuard(authority=authority, clock=authority.clock) as one:
        yield one


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("direct", [False, True])
def test_what_a_flask_stream_is_made_of_is_closed_once(
    guard: ThreadedGuard, method: str, direct: bool
) -> None:
    source = Source()
    app = Flask("streaming")
    Lastcall(app, guard)

    @app.get("/")
    def stream() -> Response:
        return Response(source, direct_passthrough=direct)

    reply = app.test_client().open("/", method=method, headers=bearer("t"))
    assert reply.data == (b"onetwo" if method == "GET" else b"")
    reply.close()
    assert source.closed == 1
