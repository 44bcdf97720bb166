"""Processes of a run: each on its core, each ended by its id."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CORES = sorted(os.sched_getaffinity(0))
MEASURED, BESIDE = CORES[0], CORES[-1]
"""What is measured has a core to itself; load and receivers run on another, if there is one."""

PATIENCE = 120.0
"""Seconds after which a process of a run is taken for stuck."""


def pin(core: int) -> None:
    os.sched_setaffinity(0, {core})


def scene(module: str, *arguments: str) -> Any:
    """Run a module of this package by itself on the measured core; the JSON it prints."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    with started(command, core=MEASURED, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    if process.returncode != 0:
        raise RuntimeError(f"benchmarks.{module} ended with {process.returncode}")
    return json.loads(out)


@contextmanager
def started(
    command: Sequence[str | Path], *, core: int, **how: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for as long as the block lasts, with all its threads on one core."""
    mine = os.sched_getaffinity(0)
    pin(core)  # a child inherits it
    try:
        process = subprocess.Popen(command, **how)
    finally:
        os.sched_setaffinity(0, mine)
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
