"""Real PostgreSQL servers for tests: each in a folder of its own, ended by its process id.

As root they run as the user `postgres`, whom Debian's package makes; otherwise as oneself.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

from tests.ports import free_port

PATIENCE = 180.0
"""Seconds for a server to answer, or to end."""
ADMIN = "admin"
"""Superuser, trusted on the socket of the server only."""
OWNER, PASSWORD = "lastcall", "the password of a test database"
"""Who owns the databases of tests, and may do no more than that; asked for it over TCP."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "hot_standby": "on",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
"""`fsync=off` costs nothing here: no test cuts the power of PostgreSQL, they only kill it."""

HBA = """\
local all         all  trust
host  all         all  127.0.0.1/32 scram-sha-256
local replication all  trust
host  replication all  127.0.0.1/32 trust
"""


@dataclass
class Cluster:
    """One server. `start` and the ways to end it may follow each other any number of times."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        assert self.process is not None, "it was never started"
        return self.process.pid

    def url(self, database: str, **options: str) -> str:
        """How the owner of databases reaches one, over TCP and with a password."""
        return self.url_at(self.port, database, **options)

    @staticmethod
    def url_at(port: int, database: str, *more: int, **options: str) -> str:
        """The same by way of whatever forwards that port to a server, or one of `more` ports."""
        hosts = ",".join(f"127.0.0.1:{one}" for one in (port, *more))
        query = "&".join(f"{name}={value}" for name, value in options.items())
        password = PASSWORD.replace(" ", "%20")
        tail = f"?{query}" if query else ""
        return f"postgresql://{OWNER}:{password}@{hosts}/{database}{tail}"

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run it as the superuser; rows come back one a line, columns parted by bars."""
        done = subprocess.run(
            [
                *(binaries() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
                *("-h", self.folder, "-p", str(self.port), "-U", ADMIN, "-d", database),
                *("-c", text),
            ],
            env=clean_environ(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self) -> None:
        """Start it and wait until it answers; what a killed one left behind may take a moment."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self._launch()
            if self._answers(end):
                return
        raise AssertionError(self.logged())

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it fast and properly, SIGQUIT at once, to be recovered at the next start."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)

    def kill(self) -> None:
        """As when the machine dies: the server and everything that works for it, at once."""
        assert self.process is not None
        self._signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def restart(self, number: signal.Signals = signal.SIGINT) -> None:
        self.stop(number)
        self.start()

    def pause(self) -> None:
        """Freeze it with everything that works for it: connections stay, nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def set(self, **settings: str) -> None:
        """Change settings that need no restart, until it is restarted."""
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def logged(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _launch(self) -> None:
        settings = {**SETTINGS, **self.settings, "port": str(self.port)}
        settings["unix_socket_directories"] = str(self.folder)
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*as_postgres(), str(binaries() / "postgres"), "-D", str(self.data), *words]
        self.process = _STARTER.submit(self._opened, command).result()

    def _opened(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environ(),
                cwd=self.folder,
            )

    def _answers(self, end: float) -> bool:
        """False when it ended instead, which a port or a memory still in use brings about."""
        assert self.process is not None
        asking = [
            str(binaries() / "pg_isready"),
            "-q",
            "-h",
            str(self.folder),
            "-p",
            str(self.port),
        ]
        while time.monotonic() < end:
            if self.process.poll() is not None:
                time.sleep(0.1)
                return False
            if subprocess.run(asking, env=clean_environ(), check=False).returncode == 0:
                return True
            time.sleep(0.03)
        return False

    def _signal(self, number: signal.Signals) -> None:
        """To the server first, so that it starts nothing more, then to all it has started."""
        for pid in (self.pid, *_children(self.pid)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """A new server that runs, ended and removed afterwards."""
    with _folder() as folder:
        run("initdb", "-D", folder / "data", "-U", ADMIN, "-E", "UTF8", "--locale=C", "--no-sync")
        (folder / "data" / "pg_hba.conf").write_text(HBA)
        server = Cluster(folder=folder, port=free_port(), settings=settings)
        with _running(server):
            server.sql(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
            yield server


@contextmanager
def standby(primary: Cluster, name: str = "standby") -> Iterator[Cluster]:
    """A server that follows the primary and that a commit waits for: `remote_apply`.

    Leaving the block takes the primary back to answering alone, when it still answers.
    """
    with _folder() as folder:
        run(
            *("pg_basebackup", "-D", folder / "data", "-R", "-c", "fast", "--no-sync"),
            *("-d", f"host={primary.folder} port={primary.port} user={ADMIN}"),
        )
        server = Cluster(folder=folder, port=free_port(), settings={"cluster_name": name})
        with _running(server):
            primary.set(synchronous_standby_names=name, synchronous_commit="remote_apply")
            _until(lambda: "sync" in primary.sql("SELECT sync_state FROM pg_stat_replication"))
            try:
                yield server
            finally:
                if primary.process is not None and primary.process.poll() is None:
                    primary.resume()
                    primary.set(synchronous_standby_names="", synchronous_commit="on")


def promote(server: Cluster) -> None:
    """Make a standby the primary; it answers to nobody but those who come to it."""
    server.sql("SELECT pg_promote(wait => true)")
    server.set(synchronous_standby_names="", synchronous_commit="on")


@contextmanager
def database(server: Cluster) -> Iterator[str]:
    """The name of a new, empty database, dropped afterwards whoever is still in it."""
    name = f"test_{next(_NUMBERS)}"
    server.sql(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0")
    try:
        yield name
    finally:
        if server.process is not None and server.process.poll() is None:
            server.resume()
            server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


_NUMBERS = count(1)
_STARTER = ThreadPoolExecutor(1)
"""What starts servers: they end with the thread that did, so it has to last."""


@cache
def binaries() -> Path:
    """The newest PostgreSQL of Debian's packages, or the one on the path."""
    found = _initdb()
    assert found, "PostgreSQL is not installed: scripts/debian-packages postgresql"
    return Path(found).parent


def installed() -> bool:
    return _initdb() is not None


def _initdb() -> str | Path | None:
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parts[-3]), default=None)
    return newest or shutil.which("initdb")


def run(program: str, *words: str | Path) -> None:
    """One of PostgreSQL's own programs, to its end."""
    done = subprocess.run(
        [*as_postgres(), binaries() / program, *words],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr


def as_postgres() -> list[str]:
    """What comes before a command: PostgreSQL refuses to be root, and ends when its test does."""
    ends_with_us = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() != 0:
        return ends_with_us
    return [*ends_with_us, "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]


def clean_environ() -> dict[str, str]:
    """Without what would lead PostgreSQL's programs to another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


@contextmanager
def _folder() -> Iterator[Path]:
    """Not one of pytest's: those are closed to other users, and too long for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="lastcall-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(server: Cluster) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        if server.process is not None and server.process.poll() is None:
            server.resume()
            server.stop(signal.SIGQUIT)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.03)
