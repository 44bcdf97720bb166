"""The scenes, one after the other: the disk, an empty server, a full one, checks, logouts."""

import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

from lastcall.bench.client import Answers, Lost, ask, request
from lastcall.bench.furnishing import config_in, fill, token
from lastcall.bench.report import Load, Report
from lastcall.bench.serving import Server, pinned, served
from lastcall.bench.unmeasured import Unmeasured

PAGE = bytes(4_096)
CHECKED = 20_000
"""Sessions whose tokens are shown in turns."""

WARMING = 0.5
STRIDES = (7_919, 7_927)
"""Two primes; at least one of them does not divide a number of sessions."""


Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`seconds` is how long each of the scenes lasts."""

    sessions: int = 100_000
    seconds: float = 5.0
    connections: int = 32
    clients: int = 64


async def measure(folder: Path, sizes: Sizes, say: Say) -> Report:
    """In a temporary folder below `folder`. Raises `Unmeasured`; cleans up in any case."""
    cores = sorted(os.sched_getaffinity(0))
    home = _room(folder)
    try:
        with pinned(cores[-1]):  # the server on another core, where there is one
            return await _measured(home, sizes, cores, say)
    except (Lost, OSError) as error:
        raise Unmeasured(str(error)) from error
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _room(folder: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="lastcall-bench-", dir=folder))
    except OSError as error:
        raise Unmeasured(f"nothing can be written in {folder}: {error.strerror}") from error


async def _measured(home: Path, sizes: Sizes, cores: list[int], say: Say) -> Report:
    say(f"measuring the disk below {home.parent}")
    syncs = _syncs(home / "syncs", sizes.seconds / 2)
    say("starting an empty server")
    with served(home / "empty", cores[0]) as empty:
        memory_empty, start_empty = empty.resident(), empty.start
    say(f"writing {sizes.sessions:,} sessions")
    full = home / "full"
    await fill(config_in(full, 0), sizes.sessions)
    disk = sum(path.stat().st_size for path in full.glob("lastcall.db*"))
    say("starting a full one")
    with served(full, cores[0]) as server:
        memory = server.resident()
        say("checking tokens")
        checks = await _checks(server, sizes)
        say("logging out")
        logouts, together = await _logouts(server, sizes)
    return Report(
        folder=str(home.parent),
        sessions=sizes.sessions,
        cores=len(cores),
        pinned=len(cores) > 1,
        checks=checks,
        logouts=logouts,
        syncs=len(syncs) / sum(syncs),
        sync_p99=sorted(syncs)[int(0.99 * len(syncs))],
        transactions_per_commit=together,
        start_empty=start_empty,
        start=server.start,
        memory_empty=memory_empty,
        memory=memory,
        disk=disk,
    )


async def _checks(server: Server, sizes: Sizes) -> Load:
    numbers = islice(scattered(sizes.sessions), CHECKED)
    requests = [request("GET", "/v1/check", token(number)) for number in numbers]
    many = sizes.connections
    await ask(server.port, cycle(requests), connections=many, seconds=WARMING)
    began = server.cpu()
    answers = await ask(server.port, cycle(requests), connections=many, seconds=sizes.seconds)
    return _load(answers, many, server.cpu() - began, b"204")


async def _logouts(server: Server, sizes: Sizes) -> tuple[Load, float]:
    """And how many transactions shared a commit meanwhile."""
    numbers = scattered(sizes.sessions)
    requests = (request("POST", "/v1/logout", token(number)) for number in numbers)
    many = sizes.clients
    await ask(server.port, islice(requests, 4 * many), connections=many, seconds=WARMING)
    before, began = server.figures(), server.cpu()
    answers = await ask(server.port, requests, connections=many, seconds=sizes.seconds)
    used, after = server.cpu() - began, server.figures()
    grown = {
        name: after[name] - before[name]
        for name in ("lastcall_commit_transactions_sum", "lastcall_commit_transactions_count")
    }
    transactions, commits = grown.values()
    return _load(answers, many, used, b"200"), transactions / max(1.0, commits)


def scattered(many: int) -> Iterator[int]:
    """The numbers below `many`, each once, neighbours far from each other."""
    stride = next(one for one in STRIDES if many % one)
    return (number * stride % many for number in range(many))


def _load(answers: Answers, connections: int, used: float, expected: bytes) -> Load:
    if answers.statuses.keys() != {expected}:
        seen = ", ".join(f"{n} times {one.decode()}" for one, n in answers.statuses.items())
        raise Unmeasured(f"the server was to answer {expected.decode()}, and did {seen or 'not'}")
    return Load(
        per_second=answers.rate,
        p50=answers.quantile(0.5),
        p99=answers.quantile(0.99),
        p999=answers.quantile(0.999),
        connections=connections,
        cpu=used / len(answers.times),
    )


def _syncs(path: Path, seconds: float) -> "array[float]":
    """The times to append a page to a file and have it on the disk, one at a time."""
    times = array("d")
    end = perf_counter() + seconds
    with path.open("wb", buffering=0) as file:
        while (began := perf_counter()) < end:
            file.write(PAGE)
            os.fdatasync(file.fileno())
            times.append(perf_counter() - began)
    path.unlink()
    return times
