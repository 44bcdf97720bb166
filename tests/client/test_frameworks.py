"""Real applications on every framework, in front of a real authority."""

import time
from collections.abc import Iterator

import pytest
import requests

from tests.client.apps import ASGI, WSGI
from tests.client.running import PATIENCE, App, app, authority, bearer, log_in, log_out
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

KINDS = [*ASGI, *WSGI]
TICK = b"data: tick\n\n"
LEASE = 5 * PATIENCE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


@pytest.fixture(scope="module", params=KINDS)
def guarded(request: pytest.FixtureRequest, server: Server) -> Iterator[App]:
    with app(request.param, server.url, LASTCALL_LEASE=str(LEASE)) as one:
        yield one


def refused(guarded: App, token: str) -> None:
    """Long before the lease is over: the application has been told."""
    end = time.monotonic() + PATIENCE
    while (status := guarded.me(token)) != 401:
        assert status in (200, 503), "let in still, or not able to tell yet"
        assert time.monotonic() < end


def test_who_has_a_session_gets_in_and_nobody_else(guarded: App, server: Server) -> None:
    token = log_in(server.url)
    reply = requests.get(f"{guarded.url}/me", headers=bearer(token), timeout=30)
    assert (reply.status_code, reply.json()) == (200, {"user": "monitor"})
    reply = requests.get(f"{guarded.url}/me", cookies={"session": token}, timeout=30)
    assert (reply.status_code, reply.json()) == (200, {"user": "monitor"})
    none = requests.get(f"{guarded.url}/me", timeout=30)
    assert (none.status_code, none.headers["WWW-Authenticate"]) == (401, "Bearer")
    bad = requests.get(f"{guarded.url}/me", headers=bearer("lct_nobody"), timeout=30)
    assert (bad.status_code, bad.headers["WWW-Authenticate"]) == (
        401,
        'Bearer error="invalid_token"',
    )
    assert bad.headers["Content-Type"] == "application/problem+json"
    for path in ("/public/hello", "/public/hello?x=/me"):
        assert requests.get(f"{guarded.url}{path}", timeout=30).status_code == 200


def test_a_logout_counts_at_once(guarded: App, server: Server) -> None:
    token = log_in(server.url)
    assert guarded.me(token) == 200
    log_out(server.url, token)
    refused(guarded, token)


@pytest.mark.parametrize("path", ["/events", "/download"])
def test_a_stream_ends_with_the_session(guarded: App, server: Server, path: str) -> None:
    token = log_in(server.url)
    where = f"{guarded.url}{path}"
    with requests.get(where, headers=bearer(token), stream=True, timeout=30) as reply:
        pieces = reply.iter_content(len(TICK))
        assert [next(pieces) for _ in range(3)] == [TICK] * 3
        log_out(server.url, token)
        end = time.monotonic() + PATIENCE
        try:
            for _ in pieces:
                assert time.monotonic() < end
            whole = True
        except requests.exceptions.ChunkedEncodingError:
            whole = False
        assert whole or path == "/download"


def test_anonymous_where_it_is_allowed(server: Server) -> None:
    with app("starlette", server.url, ANONYMOUS="1") as one:
        anybody = requests.get(f"{one.url}/me", timeout=30)
        assert (anybody.status_code, anybody.json()) == (200, {"user": None})
        reply = requests.get(f"{one.url}/me", headers=bearer("lct_nobody"), timeout=30)
        assert (reply.status_code, reply.json()) == (200, {"user": None})
        reply = requests.get(f"{one.url}/me", headers=bearer(log_in(server.url)), timeout=30)
        assert reply.json() == {"user": "monitor"}
