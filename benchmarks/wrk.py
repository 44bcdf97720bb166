"""The client: wrk on its own core, sending requests that were written down before."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BESIDE, PATIENCE, program, started

HOST = "127.0.0.1"

SCRIPT = Path(__file__).with_name("wrk.lua")


def request(
    method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: str = ""
) -> bytes:
    """One request as it goes over the wire."""
    fields = [("Host", HOST), *headers]
    if method != "GET":
        fields.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}".encode("ascii")


def written(requests: Iterable[bytes], path: Path) -> Path:
    """The file the client reads them from: a length on a line of its own before each."""
    with path.open("wb") as file:
        for one in requests:
            file.write(b"%d\n" % len(one))
            file.write(one)
    return path


class WentWrong(Exception):
    """Requests were refused or not answered at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send: the same over and over, or, with `once`, each a single time.

    `rate`, a second, for all connections together; 0: as fast as the answers come.
    """

    requests: Path
    port: int
    connections: int
    seconds: float
    once: bool = False
    rate: float = 0

    @property
    def command(self) -> list[str]:
        whole = max(1, round(self.seconds))
        return [
            *(program("wrk"), "-t1", f"-c{self.connections}", f"-d{whole}s", "--latency"),
            *("-s", str(SCRIPT), f"http://{HOST}:{self.port}/", "--"),
            *(str(self.requests), "once" if self.once else "again", str(self.rate)),
        ]


def load(what: Load, *, nice: int = 0) -> dict[str, float]:
    """Rates a second and latencies in milliseconds; no answer may be an error."""
    # Niced by itself: the priority of this process must come back.
    command = ["nice", f"-n{nice}", *what.command] if nice else what.command
    with started(command, core=BESIDE, stdout=subprocess.PIPE, env=_environ()) as process:
        told = process.communicate(timeout=what.seconds + PATIENCE)[0].decode()
    return measured(told)


def measured(told: str) -> dict[str, float]:
    """What the script tells at the end, on a line of its own."""
    line = next((one for one in told.splitlines() if one.startswith("{")), None)
    if line is None:
        raise WentWrong(told or "wrk said nothing")
    found: dict[str, float] = json.loads(line)
    wrong = found["refused"] + found["broken"]
    if wrong or not found["answered"]:
        raise WentWrong(f"{wrong:g} of {found['answered']:g} requests went wrong")
    return found


def _environ() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}
