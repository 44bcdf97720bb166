"""Checks over HTTP, beside nginx answering a constant: same client, same core, in turns."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.house import config_in, token
from benchmarks.processes import BESIDE, MEASURED, PATIENCE, scene, started

SIZES = (10_000, 100_000)
"""Live sessions in the store."""

TOKENS = 1_000
"""How many of them the client shows in turns."""

CONNECTIONS = 32
NGINX = "nginx, a constant"

SCRIPT = """\
local requests, at = {}, 0
function init()
  for number = 0, %d do
    wrk.headers["Authorization"] = string.format("Bearer lct_%%043d", number * %d)
    requests[number] = wrk.format("GET", "/v1/check")
  end
end
function request()
  at = at + 1
  return requests[at %% %d]
end
"""

NGINX_CONF = """\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log nginx.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:%d;
    location / { return 204; }
  }
}
"""


class Checks:
    """Servers that stand ready, to be asked in turns."""

    def __init__(self, ports: dict[str, int], script: Path) -> None:
        self._ports = ports
        self._script = script

    def round(self, seconds: int) -> dict[str, dict[str, float]]:
        return {name: self._asked(port, seconds) for name, port in self._ports.items()}

    def _asked(self, port: int, seconds: int) -> dict[str, float]:
        script = ["-s", str(self._script)]
        load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *script]
        command = [*load, f"http://127.0.0.1:{port}/"]
        with started(command, core=BESIDE, stdout=subprocess.PIPE) as process:
            told = process.communicate(timeout=seconds + PATIENCE)[0].decode()
        assert "Non-2xx" not in told, told
        assert "Socket errors" not in told, told
        return {
            "per_second": float(_found(r"Requests/sec:\s+([0-9.]+)", told)[1]),
            "p50_ms": _milliseconds(_found(r"50%\s+([0-9.]+)(us|ms|s)", told)),
            "p99_ms": _milliseconds(_found(r"99%\s+([0-9.]+)(us|ms|s)", told)),
        }


def missing() -> list[str]:
    """The programs of other makers that are not here."""
    return [name for name in ("nginx", "wrk") if _program(name) is None]


@contextmanager
def checks() -> Iterator[Checks]:
    """Two servers with stores of two sizes, and nginx."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lastcall-bench-")))
        ports = {NGINX: _nginx(stack, folder)}
        for sessions in SIZES:
            ports[check_of(sessions)] = _lastcall(stack, folder, sessions)
        script = folder / "check.lua"
        script.write_text(SCRIPT % (TOKENS - 1, min(SIZES) // TOKENS, TOKENS), encoding="ascii")
        yield Checks(ports, script)


def check_of(sessions: int) -> str:
    return f"check, {sessions:,} sessions"


def _lastcall(stack: ExitStack, folder: Path, sessions: int) -> int:
    home, port = folder / str(sessions), _free_port()
    home.mkdir()
    scene("full_house", str(home), str(sessions))
    config = config_in(home, port)
    lastcall = Path(sys.executable).with_name("lastcall")
    command: list[str | Path] = [lastcall, "serve", "--config", config]
    server = stack.enter_context(started(command, core=MEASURED, stdout=subprocess.DEVNULL))
    _wait_for(server, port)
    return port


def _nginx(stack: ExitStack, folder: Path) -> int:
    port = _free_port()
    home = folder / "nginx"
    home.mkdir()
    config = home / "nginx.conf"
    config.write_text(NGINX_CONF % port, encoding="ascii")
    command: list[str | Path] = [
        _program("nginx") or "",
        "-p",
        home,
        "-c",
        config,
        "-e",
        home / "nginx.log",
    ]
    _wait_for(stack.enter_context(started(command, core=MEASURED)), port)
    return port


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/check", headers={"Authorization": f"Bearer {token(0)}"}
    )
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                assert answer.status == 204
                return
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"port {port} answers {error.code}") from error
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def _found(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    assert match is not None, text
    return match


def _milliseconds(match: re.Match[str]) -> float:
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1_000.0}[match[2]]
