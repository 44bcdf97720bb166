"""A real Lastcall process on a free port, started, waited for, and ended by its id."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

LASTCALL = Path(sys.executable).with_name("lastcall")
PATIENCE = 180.0
"""Seconds for a process to become ready, or to end; for whatever a test waits for."""


@dataclass
class Server:
    """`url` is where it answers; `folder` holds its files, `config` is the configuration."""

    process: subprocess.Popen[str]
    folder: Path
    config: Path
    log: Path
    out: Path
    url: str = ""

    def wait(self) -> None:
        """Until it says it is ready; fails with its log when it ends instead."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended: {self.process.returncode}\n{self.logged()}")
            self.url = self.url or self._announced()
            if self.url and _ready(self.url):
                return
            time.sleep(0.02)
        raise AssertionError(f"it is not ready\n{self.logged()}")

    def logged(self) -> str:
        return self.log.read_text()

    def printed(self) -> str:
        return self.out.read_text()

    def events(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The log's lines of one kind; a request's comes after its answer."""
        return [line for line in self._lines() if line["event"] == name]

    def wait_for(self, beginning: str) -> Sequence[Mapping[str, Any]]:
        """The log's lines that begin so, once there are any."""

        def found() -> Sequence[Mapping[str, Any]]:
            return [one for one in self._lines() if str(one["event"]).startswith(beginning)]

        until(found)
        return found()

    def demo(self) -> Any:
        """What /demo.json tells: accounts, soajs_key, totp_secret."""
        with urlopen(f"{self.url}/demo.json", timeout=PATIENCE) as reply:  # noqa: S310 - it is our own
            return json.load(reply)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end and wait; what it ended with."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def _announced(self) -> str:
        return next((str(one["url"]) for one in self._lines() if one["event"] == "listening"), "")

    def _lines(self) -> Sequence[Mapping[str, Any]]:
        """The log's, but for one that is only begun."""
        text = self.logged()
        complete = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in complete if line.startswith("{")]


def start(
    arguments: Sequence[str], folder: Path, config: Path, environ: Mapping[str, str] | None = None
) -> Server:
    """Start `lastcall ARGUMENTS` and return at once; `wait` waits for it."""
    folder.mkdir(parents=True, exist_ok=True)
    log, out = folder / "server.log", folder / "server.out"
    with log.open("w") as errors, out.open("w") as output:
        process = subprocess.Popen(
            [LASTCALL, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**clean_environ(), **(environ or {})},
            text=True,
        )
    return Server(process=process, folder=folder, config=config, log=log, out=out)


@contextmanager
def demo(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`lastcall demo` with its data in `folder`, which a later one may take up again."""
    words = ("demo", "--port", "0", "--data", str(folder), *arguments)
    with _running(start(words, folder, folder / "lastcall.toml", environ)) as server:
        yield server


@contextmanager
def served(
    folder: Path, config: str = "", environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`lastcall serve` with this TOML; port and store are seen to unless the text has them."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "lastcall.toml"
    file.write_text(config)
    port = {} if "port =" in config else {"LASTCALL__SERVER__PORT": "0"}
    words = ("serve", "--config", str(file))
    with _running(start(words, folder, file, {**port, **(environ or {})})) as server:
        yield server


def lastcall(
    *arguments: str,
    stdin: str = "",
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """One command, to its end; its exit code is for the caller to judge."""
    return subprocess.run(
        [LASTCALL, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env={**clean_environ(), **(environ or {})},
        cwd=folder,
        timeout=2 * PATIENCE,
        check=False,
    )


def until(true: Callable[[], object]) -> None:
    """Wait for what is to become true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"not after {PATIENCE} seconds"
        time.sleep(0.02)


def clean_environ() -> dict[str, str]:
    """This process's environment without anything that would set Lastcall up."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LASTCALL")}


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.wait()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=PATIENCE) as reply:  # noqa: S310 - it is our own
            return bool(reply.status == 200)
    except (HTTPError, URLError, ConnectionError, TimeoutError):
        return False
