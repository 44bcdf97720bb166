"""Processes of a run: each on its core, each ended by its id."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CORES = sorted(os.sched_getaffinity(0))
MEASURED, BESIDE = CORES[0], CORES[-1]
"""What is measured has a core to itself; load and receivers run on another, if there is one."""

PATIENCE = 120.0
"""Seconds after which a process of a run is taken for stuck."""


class Unmeasured(Exception):
    """Something cannot be measured here; the message says why, for the report."""


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes started in the block have this core for all their threads."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def scene(module: str, *arguments: str, patience: float = PATIENCE) -> Any:
    """Run a module of this package by itself on the measured core; the JSON it prints."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    with started(command, core=MEASURED, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=patience)
    if process.returncode != 0:
        raise RuntimeError(f"benchmarks.{module} ended with {process.returncode}")
    return json.loads(out)


@contextmanager
def started(
    command: Sequence[str | Path], *, core: int, **how: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for as long as the block lasts, with all its threads on one core."""
    with pinned(core):
        process = subprocess.Popen(command, **how)
    try:
        yield process
    finally:
        ended(process)


def ended(process: subprocess.Popen[bytes], patience: float = 20) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


class Lines:
    """A process that answers each line with a line of JSON."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self._process = process
        self._name = name

    def ask(self, line: object = "") -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return self.read()

    def read(self) -> Any:
        """The next line of JSON; what else is told, by a library for instance, is passed over."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line[:1] in b'{["' or line[:1].isdigit():
                return json.loads(line)
        code = self._process.wait(PATIENCE)
        raise Unmeasured(f"{self._name} ended by itself, with {code}")


def program(name: str) -> str:
    """Its path; raises `Unmeasured`. Servers lie where only root looks for programs."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Unmeasured(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def wait_for(
    process: subprocess.Popen[bytes], port: int, answers: Callable[[int], bool] | None = None
) -> None:
    """Until something listens there and, if that is asked, answers as it should."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            if answers is None or answers(port):
                return
        except OSError:
            pass
        if process.poll() is not None:
            raise Unmeasured(f"{process.args!r} ended by itself, with {process.returncode}")
        if time.monotonic() > end:
            raise Unmeasured(f"{process.args!r} does not answer")
        time.sleep(0.02)
