"""Servers a run stands up: Lastcall itself, nginx, Redis and PostgreSQL, each gone afterwards."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.house import config_in
from benchmarks.processes import (
    MEASURED,
    PATIENCE,
    Unmeasured,
    free_port,
    pinned,
    program,
    started,
    wait_for,
)
from tests.postgres.cluster import OWNER, PASSWORD, Cluster, cluster

QUIET = {"stdout": subprocess.DEVNULL}

NGINX_CONF = """\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log nginx.log;
events { worker_connections 1024; }
http {
  access_log off;
  server_tokens off;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:%d;
    location / { add_header X-Constant "%s"; return 204; }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int


def lastcall(
    stack: ExitStack, home: Path, *, command: tuple[str | Path, ...] | None = None
) -> Server:
    """`lastcall serve` over the store in that folder, once it is ready."""
    port = free_port()
    config = config_in(home, port)
    serve = command or (Path(sys.executable).with_name("lastcall"), "serve")
    process = stack.enter_context(started([*serve, "--config", config], core=MEASURED, **QUIET))
    wait_for(process, port, _ready)
    return Server(process, port)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def nginx(stack: ExitStack, home: Path, size: int) -> Server:
    """It answers everything with 204 and a head of so many bytes, as near as it can."""
    found, port = program("nginx"), free_port()
    home.mkdir()
    config = home / "nginx.conf"
    padding = "x"
    for _ in range(2):  # once to see how long its own head is
        config.write_text(NGINX_CONF % (port, padding), encoding="ascii")
        command: list[str | Path] = [found, "-p", home, "-c", config, "-e", home / "nginx.log"]
        with ExitStack() as trial:
            wait_for(trial.enter_context(started(command, core=MEASURED)), port)
            padding = "x" * max(1, len(padding) + size - head_size(port, "/"))
    config.write_text(NGINX_CONF % (port, padding), encoding="ascii")
    process = stack.enter_context(started(command, core=MEASURED))
    wait_for(process, port)
    return Server(process, port)


def head_size(port: int, path: str, headers: dict[str, str] | None = None) -> int:
    """Bytes of the head of an answer without a body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        if answer.status != 204:
            raise Unmeasured(f"port {port} answers {answer.status}")
        status = f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
        fields = "".join(f"{name}: {value}\r\n" for name, value in answer.getheaders())
        return len(status) + len(fields) + 2
    finally:
        connection.close()


def redis(stack: ExitStack, home: Path) -> str:
    """Its address. It keeps everything in memory and writes nothing: the fastest it can be."""
    port = free_port()
    home.mkdir()
    command: list[str | Path] = [program("redis-server"), "--port", str(port), "--dir", home]
    command += ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    wait_for(stack.enter_context(started(command, core=MEASURED, **QUIET)), port)
    return f"redis://127.0.0.1:{port}"


@contextmanager
def postgres(database: str) -> Iterator[dict[str, str]]:
    """A server that syncs every commit, and the variables that lead to an empty database on it."""
    try:
        with pinned(MEASURED):
            opening = ExitStack()
            server: Cluster = opening.enter_context(
                cluster(fsync="on", synchronous_commit="on", shared_buffers="128MB")
            )
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        raise Unmeasured(f"PostgreSQL did not start: {error}") from error
    with opening:
        server.sql(f"CREATE DATABASE {database} OWNER {OWNER}")
        yield {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": OWNER,
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": database,
        }


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """What a process and those it started have had of a processor, the kernel's work included."""
    task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pids = [process.pid, *map(int, task.read_text(encoding="ascii").split())]
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident(process: subprocess.Popen[bytes]) -> int:
    """Bytes of memory a process has."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1_024
    raise Unmeasured("the system does not tell how much memory a process has")
