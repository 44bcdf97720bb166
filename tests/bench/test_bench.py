"""`lastcall bench`: its client, its table, and a small run of the whole."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise, repeat
from pathlib import Path

import pytest

from lastcall.bench import Report, Sizes, Unmeasured, measure
from lastcall.bench.client import Answers, Lost, ask, complete, request
from lastcall.bench.measuring import scattered
from lastcall.bench.report import Load
from tests.e2e.server import LASTCALL

NOTHING = b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("answer", [NOTHING, BODY, b"HTTP/1.1 401 No\r\ncontent-length:0\r\n\r\n"])
def test_an_answer_is_complete_with_its_last_byte(answer: bytes) -> None:
    assert complete(answer)
    assert not any(complete(answer[:end]) for end in range(len(answer)))


@pytest.mark.parametrize("many", [1_000, 7_919, 100_000])
def test_every_session_comes_once_and_none_beside_its_neighbour(many: int) -> None:
    numbers = list(scattered(many))
    assert sorted(numbers) == list(range(many))
    assert all(abs(one - two) > 1 for one, two in pairwise(numbers))


@asynccontextmanager
async def answering(pieces: list[bytes], *, close_after: int = 0) -> AsyncIterator[int]:
    """A server that answers every request with these pieces, and hangs up after some."""

    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        answered = 0
        while await reader.read(1_000):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            answered += 1
            if answered == close_after:
                break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*(one for one in serving if one))


async def test_the_client_asks_until_there_is_nothing_left_to_ask() -> None:
    asked: Iterator[bytes] = repeat(request("POST", "/v1/logout", "lct_1"), 10)
    async with answering([BODY[:20], BODY[20:]]) as port:
        answers = await ask(port, asked, connections=3, seconds=10)
    assert answers.statuses == {b"200": 10}
    assert 0 < answers.quantile(0.5) <= answers.quantile(0.99)
    assert answers.rate > 0


async def test_the_client_asks_until_the_time_is_over() -> None:
    asked: Iterator[bytes] = repeat(request("GET", "/v1/check", "lct_1"))
    async with answering([NOTHING]) as port:
        answers = await ask(port, asked, connections=2, seconds=0.05)
    assert set(answers.statuses) == {b"204"}
    assert answers.seconds >= 0.05


async def test_a_connection_that_is_closed_spoils_the_run() -> None:
    asked: Iterator[bytes] = repeat(request("GET", "/v1/check", "lct_1"))
    async with answering([NOTHING], close_after=3) as port:
        with pytest.raises(Lost):
            await ask(port, asked, connections=2, seconds=10)


def test_no_answers_have_no_times() -> None:
    assert (Answers().rate, Answers().quantile(0.99)) == (0.0, 0.0)


def load(per_second: float, connections: int) -> Load:
    return Load(
        per_second=per_second,
        p50=0.000_3,
        p99=0.001_25,
        p999=0.002,
        connections=connections,
        cpu=0.000_01,
    )


def test_the_table() -> None:
    report = Report(
        folder="/srv",
        sessions=1_000,
        cores=2,
        pinned=True,
        checks=load(90_000, 32),
        logouts=load(8_000, 64),
        syncs=1_000,
        sync_p99=0.004,
        transactions_per_commit=20,
        start_empty=0.5,
        start=0.75,
        memory_empty=50_000_000,
        memory=50_500_000,
        disk=400_000,
    )
    shown = {f"{name}: {here} ({what})" for name, here, what in report.rows()}
    assert shown >= {
        "checks: 90,000 a second (server on its own core)",
        "check: p50 300, p99 1,250 µs (32 connections)",
        "check, server's work: 10.0 µs (enough for 100,000 a second)",
        "logout: p50 0.30, p99 1.25 ms (64 clients)",
        "logouts for each sync: 8.0 (that the disk can do)",
        "memory of a session: 500 bytes (48 MiB in all)",
        "disk of a session: 400 bytes (0 MiB in all)",
    }
    assert json.loads(json.dumps(report.values()))["checks"]["per_second"] == 90_000


def bench(
    here: Path, folder: Path, *options: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    command = [str(LASTCALL), "bench", "--folder", str(folder), *options]
    env = {**os.environ, **environ}
    return subprocess.run(command, capture_output=True, text=True, cwd=here, env=env)


@pytest.mark.e2e
def test_a_small_run_tells_all_figures_and_leaves_nothing(tmp_path: Path) -> None:
    """Whatever the environment tells the operator's own server, where its store is included."""
    done = bench(
        tmp_path,
        tmp_path,
        *("--sessions", "2000", "--seconds", "1", "--json"),
        LASTCALL__STORE__URL=f"sqlite:{tmp_path / 'precious.db'}",
        http_proxy="http://127.0.0.1:1",
        no_proxy="",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sessions"] == 2_000
    for name in ("syncs", "start", "start_empty", "disk_each", "memory", "logouts_per_sync"):
        assert found[name] > 0, name
    for name in ("checks", "logouts"):
        assert found[name]["per_second"] > 0
        assert found[name]["p50"] <= found[name]["p99"] <= found[name]["p999"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_a_folder_that_cannot_be_written_in(tmp_path: Path) -> None:
    done = bench(tmp_path, tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing can be written in" in done.stderr


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unmeasured, match="No such file"):
        await measure(tmp_path / "nowhere", Sizes(), print)
