"""The assembly: who gets a request, how much of it, and what every answer carries."""

import io
import json
from dataclasses import replace
from time import process_time

import pytest

from lastcall.domain.types import TenantId
from lastcall.wire import Reply, json_reply
from tests.http.asgi import Answer, ask, echo, serve
from tests.world import make_world


async def test_the_longest_prefix_answers() -> None:
    short, _ = echo("short", "/api/")
    long, _ = echo("long", "/api/v1/")
    bare, _ = echo("bare", "/urac")
    app = serve(await make_world(), short, long, bare).app
    assert (await ask(app, "GET", "/api/ok")).json["by"] == "short"
    assert (await ask(app, "GET", "/api/v1/ok")).json["by"] == "long"
    assert (await ask(app, "GET", "/urac/ok")).json["by"] == "bare"
    assert (await ask(app, "GET", "/urac:1/ok")).json == {"unknown to": "bare"}
    assert (await ask(app, "GET", "/uracs/ok")).json["title"] == "Not Found"
    assert (await ask(app, "GET", "/API/ok")).status == 404


async def test_nothing_is_found_by_tricks_with_the_path() -> None:
    mount, calls = echo()
    app = serve(await make_world(), mount).app
    for path in ("/echo//ok", "//echo/ok", "/echo/ok/", "/echo/ok;jsessionid=1", "/echo/./ok"):
        assert (await ask(app, "GET", path)).status == 404, path
    assert not calls
    assert (await ask(app, "GET", "/echo%2Fok")).status == 200, "an encoded slash is a slash"


async def test_a_dialect_with_a_host_owns_every_path_there_and_none_elsewhere() -> None:
    own, _ = echo("own", host="own.example")
    other, _ = echo("other", "/other/")
    app = serve(await make_world(), own, other).app
    there = ("Host", "OWN.example:8700")
    assert (await ask(app, "GET", "/echo/ok")).status == 404
    assert (await ask(app, "GET", "/echo/ok", there, host=False)).json["by"] == "own"
    assert (await ask(app, "GET", "/", there, host=False)).json["by"] == "own"
    assert (await ask(app, "GET", "/livez", there, host=False)).json == {"unknown to": "own"}
    assert (await ask(app, "GET", "/other/ok", there, host=False)).json == {"unknown to": "own"}


async def test_a_dialect_that_is_switched_off_is_not_there() -> None:
    mount, _ = echo(enabled=False)
    app = serve(await make_world(), mount).app
    assert (await ask(app, "GET", "/echo/ok")).json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
    }


async def test_a_host_picks_its_tenant() -> None:
    mount, calls = echo(tenant="default")
    hosts = {"other.example": TenantId("other")}
    app = serve(await make_world(), mount, tenant_hosts=hosts).app
    await ask(app, "GET", "/echo/ok")
    await ask(app, "GET", "/echo/ok", ("Host", "Other.Example:443"), host=False)
    await ask(app, "GET", "/echo/ok", ("X-Forwarded-Host", "other.example"))
    assert [(call.tenant, call.tenant_by_host) for call in calls] == [
        ("default", False),
        ("other", True),
        ("default", False),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Host", "")],
        [("Host", "a.example/evil")],
        [("Host", "a.example@evil")],
        [("Host", "a.example"), ("Host", "b.example")],
    ],
)
async def test_a_request_needs_one_host(headers: list[tuple[str, str]]) -> None:
    mount, calls = echo()
    answer = await ask(
        serve(await make_world(), mount).app, "GET", "/echo/ok", *headers, host=False
    )
    assert answer.status == 400
    assert answer.header("connection") == "close"
    assert not calls


async def test_an_old_client_needs_none() -> None:
    mount, _ = echo()
    app = serve(await make_world(), mount).app
    assert (await ask(app, "GET", "/echo/ok", host=False, version="1.0")).status == 200


async def test_what_a_dialect_sees() -> None:
    mount, calls = echo()
    app = serve(await make_world(), mount, trusted_proxies=("10.0.0.0/8",)).app
    await ask(
        app,
        "POST",
        "/echo/ok?a=%20b",
        ("X-Forwarded-For", "198.51.100.1:99"),
        ("X-Forwarded-Proto", "https"),
        ("X-Two", "1"),
        ("x-two", " 2 "),
        body=[b"in ", b"two"],
        peer=("10.0.0.1", 1),
    )
    (call,) = calls
    assert (call.address, call.port, call.scheme) == ("198.51.100.1", 99, "https")
    assert (call.method, call.path, call.query) == ("POST", "/echo/ok", "a=%20b")
    assert call.headers["x-two"] == ("1", "2")
    assert call.body == b"in two"
    assert call.public_url == "http://127.0.0.1:8700"


async def test_a_request_id_is_taken_if_it_is_sane_and_made_if_not() -> None:
    mount, calls = echo()
    app = serve(await make_world(), mount).app
    given = ("X-Request-Id", "f3b1-2.A_z")
    assert (await ask(app, "GET", "/echo/ok", given)).header("x-request-id") == given[1]
    for bad in ("a b", "x" * 65, "<script>", "abc", "a\x1b[31mbc", ""):
        made = (await ask(app, "GET", "/echo/ok", ("X-Request-Id", bad))).header("x-request-id")
        assert made != bad
        assert len(made) == 24
        assert calls[-1].request_id == made


async def test_every_answer_is_made_safe() -> None:
    page = Reply(body=b"<p>", headers=(("Content-Type", "text/html; charset=utf-8"),))
    html, _ = echo("html", "/html/", page)
    own = page.plus(("Content-Security-Policy", "default-src 'self'"), ("Cache-Control", "public"))
    chosen, _ = echo("chosen", "/chosen/", own)
    plain, _ = echo()
    app = serve(await make_world(), html, chosen, plain).app
    for path in ("/html/ok", "/echo/ok", "/echo/none", "/nowhere", "/livez"):
        answer = await ask(app, "GET", path)
        assert answer.header("cache-control") == "no-store", path
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("content-length") == str(len(answer.body))
        assert not answer.header("server")
        assert bool(answer.header("content-security-policy")) == (path == "/html/ok")
    answer = await ask(app, "GET", "/chosen/ok")
    assert answer.header("cache-control") == "public"
    assert answer.header("content-security-policy") == "default-src 'self'"


@pytest.mark.parametrize(
    "header",
    [
        ("Location", "/a\r\nSet-Cookie: x=y"),
        ("Location", "/a\nb"),
        ("Location", "/a\x00b"),
        ("Location", "/\u560a\u560d"),
        ("X-Y: z\r\nA", "b"),
        ("Content-Length", "7"),
        ("Transfer-Encoding", "chunked"),
    ],
)
async def test_what_would_split_an_answer_is_not_sent(
    header: tuple[str, str], logged: io.StringIO
) -> None:
    mount, _ = echo(reply=json_reply({}).plus(header))
    answer = await ask(serve(await make_world(), mount).app, "GET", "/echo/ok")
    assert answer.status == 500
    assert answer.json["title"] == "Internal Server Error"
    assert header[0] not in dict(answer.headers) or header[0] == "Content-Length"
    assert '"event":"unsendable"' in logged.getvalue()


async def test_head_is_a_method_of_its_own_and_has_no_body() -> None:
    mount, _ = echo()
    app = serve(await make_world(), mount).app
    answer = await ask(app, "HEAD", "/echo/ok")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.header("content-length")) > 0
    assert (await ask(app, "HEAD", "/echo/invalid")).status == 404, "not routed, not run"


async def test_an_answer_without_content_says_no_length() -> None:
    mount, _ = echo(reply=Reply(status=204))
    answer = await ask(serve(await make_world(), mount).app, "GET", "/echo/ok")
    assert (answer.status, answer.body, answer.header("content-length")) == (204, b"", "")


async def test_an_unforeseen_failure_is_said_in_the_dialects_words(logged: io.StringIO) -> None:
    mount, _ = echo()
    served = serve(await make_world(), mount)
    answer = await ask(served.app, "GET", "/echo/fail", ("X-Request-Id", "req-1"))
    assert answer.json == {"refused by": "echo", "code": "error"}
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    failed = next(line for line in lines if line["event"] == "failed")
    assert failed["error"] == "RuntimeError"
    assert failed["request"] == "req-1"
    assert "asgi.py" in failed["where"][-1]
    assert "canary" not in logged.getvalue()
    assert b'lastcall_refusals_total{code="error",dialect="echo"} 1.0' in served.metrics.page()


async def test_a_dialect_that_cannot_even_refuse(logged: io.StringIO) -> None:
    mount, _ = echo()

    def refuse(*_: object) -> Reply:
        raise KeyError("canary")

    speechless = replace(mount, dialect=replace(mount.dialect, refuse=refuse))
    answer = await ask(serve(await make_world(), speechless).app, "GET", "/echo/fail")
    assert answer.status == 500
    assert "canary" not in logged.getvalue()


def refused(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status
    assert answer.json == {"refused by": "echo", "code": code}
    assert answer.header("connection") == "close"


@pytest.mark.slow
async def test_a_body_is_read_up_to_its_limit() -> None:
    mount, calls = echo()
    app = serve(await make_world(), mount, max_body=1_000).app
    assert (await ask(app, "POST", "/echo/ok", body=b"x" * 1_000)).json["body"] == 1_000
    refused(await ask(app, "POST", "/echo/ok", body=b"x" * 1_001), 413, "too-large")
    refused(await ask(app, "POST", "/echo/ok", body=[b"x" * 600] * 2), 413, "too-large")
    refused(await ask(app, "POST", "/echo/ok", body=[b"x" * 600] * 500), 413, "too-large")
    announced = ("Content-Length", "1001")
    refused(await ask(app, "POST", "/echo/ok", announced, body=b""), 413, "too-large")
    assert len(calls) == 1


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    mount, calls = echo()
    app = serve(await make_world(), mount, body_seconds=0.05).app
    refused(await ask(app, "POST", "/echo/ok", body=b"some", stall=True), 408, "too-slow")
    assert not calls


async def test_a_client_that_left_is_not_answered(logged: io.StringIO) -> None:
    mount, calls = echo()
    answer = await ask(
        serve(await make_world(), mount).app, "POST", "/echo/ok", body=b"some", leave=True
    )
    assert (answer.status, calls) == (0, [])
    assert '"status":499' in logged.getvalue()


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("POST", [("Content-Length", "0")], b""),
        ("GET", [("Content-Length", "3")], b"abc"),
        ("DELETE", [], b"abc"),
        ("POST", [("Transfer-Encoding", "chunked")], [b"a", b"", b"bc"]),
        ("POST", [("Content-Type", "multipart/form-data; boundary=x")], b"--x--\r\n"),
        ("POST", [("Content-Type", "multipart/form-data")], b""),
    ],
)
async def test_bodies_of_every_kind_reach_the_dialect(
    method: str, headers: list[tuple[str, str]], body: bytes | list[bytes]
) -> None:
    mount, calls = echo()
    answer = await ask(
        serve(await make_world(), mount).app, method, "/echo/ok", *headers, body=body
    )
    assert answer.status == 200
    assert calls[0].body == (body if isinstance(body, bytes) else b"".join(body))


async def test_heads_have_limits() -> None:
    mount, calls = echo()
    app = serve(await make_world(), mount).app
    many = [(f"X-{number}", "1") for number in range(150)]
    assert (await ask(app, "GET", "/echo/ok", *many)).status == 431
    assert (await ask(app, "GET", "/echo/ok", ("X-Long", "x" * 40_000))).status == 431
    assert (await ask(app, "GET", "/echo/ok?" + "a=1&" * 10_000)).status == 414
    assert (await ask(app, "m-search", "/echo/ok")).status == 501
    assert not calls


async def test_a_header_repeated_without_end_is_refused_in_no_time() -> None:
    """Putting each copy to the ones before it would take thirty times as long as as many names."""
    mount, calls = echo()
    app = serve(await make_world(), mount).app

    async def taken(headers: list[tuple[str, str]]) -> float:
        times = []
        for _ in range(5):
            began = process_time()
            assert (await ask(app, "GET", "/echo/ok", *headers)).status == 431
            times.append(process_time() - began)
        return min(times)

    names = await taken([(f"a{number}", "") for number in range(16_000)])
    assert await taken([("a", "")] * 16_000) < 5 * names
    assert not calls


async def test_draining_ends_connections_after_their_answer() -> None:
    mount, _ = echo()
    served = serve(await make_world(), mount)
    assert not (await ask(served.app, "GET", "/echo/ok")).header("connection")
    served.state.draining = True
    answer = await ask(served.app, "GET", "/echo/ok")
    assert (answer.status, answer.header("connection")) == (200, "close")


async def test_lifespan_and_websockets() -> None:
    app = serve(await make_world()).app
    sent: list[str] = []
    asked = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        return {"type": next(asked)}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    await app({"type": "websocket"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]
