"""What is written down, and above all what is not."""

import io
import json
import logging
import os
import threading
import warnings
from typing import Any

import pytest
import structlog

from lastcall import logs
from lastcall.http.redaction import shown_path, shown_query
from lastcall.wire import Trail
from tests.http.asgi import ask, echo, serve
from tests.world import make_world

TRICKS = {
    "cr": "a\rb",
    "lf": 'a\n{"event":"forged"}',
    "ansi": "a\x1b[2Jb",
    "c1": "a\x9b2Jb",
    "separator": "a\u2028b\u2029c",
    "bidi": "a\u202eb\u2066c",
    "hidden": "a\u200bb\ufeffc\U000e0041d",
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
}


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("trick", TRICKS)
def test_one_record_is_one_line_and_plays_no_tricks(trick: str, logged: io.StringIO) -> None:
    text = TRICKS[trick]
    structlog.get_logger().info(text, field=text, nested=[text], **{text: 1})
    logging.getLogger("uvicorn.error").warning("%s", text)
    written = logged.getvalue()
    assert len(lines(logged)) == 2
    assert written.count("\n") == 2
    assert not logs.UNSEEN.search(written.replace("\n", ""))
    assert lines(logged)[0]["field"].startswith("a\\u")


def test_fields_have_a_length(logged: io.StringIO) -> None:
    structlog.get_logger().info("x" * 1_000_000, field="y" * 1_000_000, number=3, none=None)
    assert len(logged.getvalue()) < 1_000
    assert lines(logged)[0]["number"] == 3


def test_names_of_secrets_are_not_printed(logged: io.StringIO) -> None:
    structlog.get_logger().info("x", password="canary", token="canary", code="canary")
    assert "canary" not in logged.getvalue()


def test_a_failure_is_told_without_its_words(logged: io.StringIO) -> None:
    try:
        raise ValueError("canary")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    first, second = lines(logged)
    assert "canary" not in logged.getvalue()
    for line in (first, second):
        assert line["error"] == "ValueError"
        assert "test_logs.py" in line["where"][0]
    assert second["event"] == "Exception in ASGI application"


def test_the_server_beneath_prints_no_addresses(logged: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info('127.0.0.1 - "GET /?token=canary HTTP/1.1" 200')
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("a warning", UserWarning, stacklevel=1)
    (only,) = lines(logged)
    assert "a warning" in only["event"]


def test_a_reader_that_stops_reading_holds_nobody_up() -> None:
    """What it missed is counted, and every line that it gets is a whole one."""
    reading, writing = os.pipe()
    text = json.dumps({"event": "x" * 3_000, "level": "info"})
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb", buffering=0) as reader:
        out = logs.Lossy(stream)
        many = threading.Thread(
            target=lambda: [out.write(f"{text}\n") for _ in range(1_000)], daemon=True
        )
        many.start()
        many.join(60)
        assert not many.is_alive()
        read = reader.read(1 << 20)
        out.write(f"{text}\n")
        read += reader.read(1 << 20)
    *before, told, last = read.decode().splitlines()
    whole = [line for line in (*before, last) if line == text]
    assert last == text
    assert json.loads(told) == {
        **json.loads(told),
        "level": "warning",
        "event": "log lines were lost",
        "lines": 1_001 - len(whole),
    }
    assert [line for line in before if line != text] in ([], [before[-1]])
    assert text.startswith(before[-1])


def test_threads_write_lines_and_not_pieces_of_them() -> None:
    reading, writing = os.pipe()
    wrong: list[RuntimeError] = []
    read: list[str] = []

    def to_its_end() -> None:
        with os.fdopen(reading) as stream:
            read.extend(stream.read().splitlines())

    reader = threading.Thread(target=to_its_end, daemon=True)
    reader.start()
    with os.fdopen(writing, "w") as stream:
        out = logs.Lossy(stream)

        def some(letter: str) -> None:
            try:
                for _ in range(300):
                    out.write(f"{letter * 2_500}\n")
            except RuntimeError as error:
                wrong.append(error)

        threads = [threading.Thread(target=some, args=(one,), daemon=True) for one in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    reader.join(60)
    assert wrong == []
    assert read
    for line in read:
        assert "were lost" in line or (len(set(line)) == 1 and len(line) <= 2_500), line


def test_levels_are_kept() -> None:
    stream = io.StringIO()
    logs.configure("warning", stream)
    structlog.get_logger().info("no")
    structlog.get_logger().warning("yes")
    logging.getLogger("lastcall").info("no")
    logs.configure("warning", io.StringIO())
    assert [line["event"] for line in lines(stream)] == ["yes"]
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = [
        one for one in logging.getLogger().handlers if not isinstance(one.formatter, logs.Lines)
    ]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("cmd=logoutUser&format=json", "cmd=logoutUser&format=json"),
        ("token=canary&username=u&password=p", "token&username&password"),
        ("cmd=canary%20x", "cmd"),
        ("cmd=" + "A" * 40, "cmd"),
        ("offset=20&count=10&sort=loginAt", "offset=20&count=10&sort=loginAt"),
        ("CANARY", "*"),
        ("CANARY0123456789CANARY0123456789=", "*"),
        ("a=1&&=2", "a&*&*"),
        ("&".join(f"p{n}=1" for n in range(30)), "&".join(f"p{n}" for n in range(20)) + "&*"),
    ],
)
def test_queries_are_shown_by_name(query: str, shown: str) -> None:
    assert shown_query(query) == shown


@pytest.mark.parametrize(
    ("path", "route", "shown"),
    [
        ("/oauth/accessToken/canary", "/oauth/accessToken/{token}", "/oauth/accessToken/{token}"),
        ("/services/login;jsessionid=canary", "", "/services/*"),
        ("/logout;jsessionid=canary", "", "/logout"),
        ("/canary/x", "", "/canary/*"),
        ("/CANARY0123456789", "", "/*"),
        ("/a\nb", "", "/*"),
        ("/", "", "/"),
        ("", "", "/"),
    ],
)
def test_paths_are_shown_as_patterns(path: str, route: str, shown: str) -> None:
    assert shown_path(path, Trail(route=route)) == shown


async def test_a_request_is_one_record(logged: io.StringIO) -> None:
    mount, _ = echo()
    app = serve(await make_world(), mount).app
    await ask(app, "GET", "/echo/token/canary?token=canary&cmd=list", ("X-Request-Id", "req-1"))
    (line,) = lines(logged)
    assert line.pop("ms") >= 0
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "path": "/echo/token/{token}",
        "query": "token&cmd=list",
        "status": 200,
        "dialect": "echo",
        "tenant": "default",
        "request": "req-1",
        "address": "192.0.2.7",
        "refused": "",
    }


async def test_a_refusal_is_named_and_probes_are_not_logged(logged: io.StringIO) -> None:
    mount, _ = echo()
    app = serve(await make_world(), mount).app
    for path in ("/livez", "/readyz", "/metrics"):
        await ask(app, "GET", path)
    await ask(app, "GET", "/echo/invalid")
    (line,) = lines(logged)
    assert line["refused"] == "invalid"


async def test_the_head_of_a_request_forges_nothing(logged: io.StringIO) -> None:
    mount, _ = echo()
    app = serve(await make_world(), mount).app
    for trick in ("%0d%0a", "%1b[2J", "%e2%80%a8", "%e2%80%ae", "%00", "%ff"):
        await ask(app, "GET", f"/echo/{trick}?{trick}={trick}&cmd={trick}")
        await ask(app, "GET", f"/{trick}")
        await ask(app, "GET", "/echo/ok", ("X-Request-Id", f"a{trick}"), ("User-Agent", "\x1b[2J"))
    assert not logs.UNSEEN.search(logged.getvalue().replace("\n", ""))
    assert all(line["event"] == "request" for line in lines(logged))
    assert len(lines(logged)) == 18
