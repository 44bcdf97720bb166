"""A server process of its own: started, waited for, looked at, and ended by its id."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from lastcall.bench.furnishing import config_in
from lastcall.bench.unmeasured import Unmeasured

PATIENCE = 60.0
PROGRAM = "import sys; from lastcall.cli import main; sys.exit(main())"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""The loopback is behind no proxy, whatever the environment says."""


@dataclass(frozen=True, slots=True)
class Server:
    """`start` is how long it took until it answered, in seconds."""

    process: subprocess.Popen[bytes]
    port: int
    start: float

    def cpu(self) -> float:
        """Seconds of processor time it has used."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self) -> int:
        """Bytes of memory it has."""
        return int(self._read("statm").split()[1]) * PAGE

    def figures(self) -> dict[str, float]:
        """Its own figures, without labels and sums over them."""
        with DIRECT.open(f"http://127.0.0.1:{self.port}/metrics") as page:
            lines = page.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("lastcall_"))
        return {name: float(value) for name, value in pairs if "{" not in name}

    def _read(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="latin-1")
        except OSError as error:
            raise Unmeasured("the system does not tell what a process uses") from error


@contextmanager
def served(folder: Path, core: int) -> Iterator[Server]:
    """`lastcall serve` over the store in that folder, on that core, once it is ready.

    Settings in the environment are those of the operator's own server, so it is shown none.
    """
    port = _free_port()
    config = config_in(folder, port)
    began = monotonic()
    log = folder / "lastcall.log"
    with log.open("wb") as errors, pinned(core):
        process = subprocess.Popen(  # noqa: S603 - our own program, with arguments of our own
            [sys.executable, "-c", PROGRAM, "serve", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={name: os.environ[name] for name in os.environ if not name.startswith("LASTCALL_")},
        )
    try:
        _wait(process, port, log)
        yield Server(process, port, monotonic() - began)
    finally:
        _end(process)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process, and those it starts in the block, are on this core."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = monotonic() + PATIENCE
    while monotonic() < end:
        if process.poll() is not None:
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
            raise Unmeasured(f"the server ended by itself: {' '.join(last)}")
        try:
            with DIRECT.open(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            sleep(0.01)
    raise Unmeasured("the server does not become ready")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port
