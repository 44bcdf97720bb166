"""Who is measured side by side: Lastcall, nginx, and peers as their documentation sets them up.

Each is a whole service on the measured core: the server process, and with it the Redis and the
PostgreSQL it asks, as Lastcall's own store and its writer have no other core either.
"""

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import (
    BESIDE,
    MEASURED,
    Lines,
    Unmeasured,
    free_port,
    started,
    wait_for,
)
from benchmarks.servers import Server, postgres, redis
from benchmarks.wrk import HOST, request

PEERS = Path(__file__).parent / "peers"
NODE = PEERS / "node"
PYTHON = PEERS / ".venv" / "bin"
NOT_INSTALLED = "could not be installed (see what `make bench` said)"

OIDC_MEMORY = "node-oidc-provider, in memory"
OIDC_REDIS = "node-oidc-provider, Redis"
EXPRESS = "express-session, Redis"
DJANGO = "Django cached_db"
DJANGO_USER = "Django cached_db, request.user"
BETTER_AUTH = "better-auth, SQLite"

Asking = Callable[[str], bytes]
"""The request that somebody who shows this token or cookie makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """`begin` makes so many sessions and returns what their holders show; no password is hashed.

    `log_out` None: its logouts are measured under another name. `logouts`: about as many as it can
    do in a few seconds.
    """

    name: str
    server: Server
    begin: Callable[[int], Sequence[str]]
    check: Asking
    log_out: Asking | None = None
    logouts: int = 0


@contextmanager
def peers(folder: Path) -> Iterator[tuple[list[Contestant], dict[str, str]]]:
    """All that can be had, and why the others cannot."""
    found: list[Contestant] = []
    absent: dict[str, str] = {}
    folder.mkdir()
    with ExitStack() as stack:
        for names, opening in OPENINGS.items():
            with ExitStack() as trial:
                try:
                    found += opening(trial, folder)
                    stack.push(trial.pop_all())
                except Unmeasured as error:
                    absent |= dict.fromkeys(names, str(error))
        yield found, absent


def _oidc_memory(stack: ExitStack, folder: Path) -> list[Contestant]:
    return [_oidc(stack, OIDC_MEMORY, {}, 20_000)]


def _oidc_redis(stack: ExitStack, folder: Path) -> list[Contestant]:
    url = redis(stack, folder / "redis-oidc")
    return [_oidc(stack, OIDC_REDIS, {"REDIS_URL": url}, 12_000)]


def _oidc(stack: ExitStack, name: str, variables: Mapping[str, str], logouts: int) -> Contestant:
    basic = b64encode(b"service:a-secret-of-the-benchmark").decode("ascii")
    headers = [
        ("Authorization", f"Basic {basic}"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    return _node(
        stack,
        name,
        "oidc_provider.mjs",
        variables,
        check=lambda token: request("POST", "/token/introspection", headers, f"token={token}"),
        log_out=lambda token: request("POST", "/token/revocation", headers, f"token={token}"),
        logouts=logouts,
    )


def _express(stack: ExitStack, folder: Path) -> list[Contestant]:
    url = redis(stack, folder / "redis-express")
    return [
        _node(
            stack,
            EXPRESS,
            "express_session.mjs",
            {"REDIS_URL": url},
            check=lambda cookie: request("GET", "/check", [("Cookie", cookie)]),
            log_out=lambda cookie: request("POST", "/logout", [("Cookie", cookie)]),
            logouts=15_000,
        )
    ]


def _better_auth(stack: ExitStack, folder: Path) -> list[Contestant]:
    home = folder / "better-auth"
    home.mkdir()
    # A browser tells where a POST comes from, and better-auth insists on it.
    origin = ("Origin", f"http://{HOST}")
    return [
        _node(
            stack,
            BETTER_AUTH,
            "better_auth.mjs",
            {"DATABASE": str(home / "auth.db")},
            check=lambda cookie: request("GET", "/api/auth/get-session", [("Cookie", cookie)]),
            log_out=lambda cookie: request(
                "POST", "/api/auth/sign-out", [("Cookie", cookie), origin]
            ),
            logouts=2_500,
        )
    ]


def _node(
    stack: ExitStack,
    name: str,
    script: str,
    variables: Mapping[str, str],
    *,
    check: Asking,
    log_out: Asking,
    logouts: int,
) -> Contestant:
    process = stack.enter_context(
        started(
            [node(), script],
            core=MEASURED,
            cwd=NODE,
            env={**os.environ, **variables, "NODE_ENV": "production"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    )
    lines = Lines(process, name)
    server = Server(process, lines.read()["port"])
    return Contestant(
        name=name,
        server=server,
        begin=lines.ask,
        check=check,
        log_out=log_out,
        logouts=logouts,
    )


def node() -> Path:
    """The Node of the lock file, the same wherever this runs."""
    found = next(iter(NODE.glob("node_modules/node-linux-*/bin/node")), None)
    if found is None or not (NODE / "node_modules" / ".stamp").exists():
        raise Unmeasured(NOT_INSTALLED)
    return found


def _django(stack: ExitStack, folder: Path) -> list[Contestant]:
    if not (PYTHON / "made.stamp").exists():
        raise Unmeasured(NOT_INSTALLED)
    variables = stack.enter_context(postgres("django"))
    variables["REDIS_URL"] = redis(stack, folder / "redis-django")
    variables["DJANGO_SETTINGS_MODULE"] = "django_sessions.settings"
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    how = {"cwd": PEERS, "env": {**environ, **variables}}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    beginner: list[str | Path] = [PYTHON / "python", "-m", "django_sessions.begin"]
    lines = Lines(stack.enter_context(started(beginner, core=BESIDE, **pipes, **how)), DJANGO)
    lines.read()  # the tables are made
    server = _granian(stack, how)

    def asking(method: str, path: str) -> Asking:
        return lambda cookie: request(method, path, [("Cookie", cookie)])

    return [
        Contestant(
            name=DJANGO,
            server=server,
            begin=lines.ask,
            check=asking("GET", "/check"),
            log_out=asking("POST", "/logout"),
            logouts=2_000,
        ),
        Contestant(name=DJANGO_USER, server=server, begin=lines.ask, check=asking("GET", "/user")),
    ]


def _granian(stack: ExitStack, how: Mapping[str, object]) -> Server:
    """One worker; two threads, so that one works while the other waits for Redis: the fastest of
    what was tried (gunicorn with one and four threads, granian with one and two)."""
    port = free_port()
    command: list[str | Path] = [PYTHON / "granian", "--interface", "wsgi", "--workers", "1"]
    command += ["--blocking-threads", "2", "--http", "1", "--host", HOST, "--port", str(port)]
    command += ["--no-access-log", "--log-level", "error", "django_sessions.site:application"]
    process = stack.enter_context(started(command, core=MEASURED, **how))
    wait_for(process, port)
    return Server(process, port)


Opening = Callable[[ExitStack, Path], list[Contestant]]
OPENINGS: Mapping[tuple[str, ...], Opening] = {
    (OIDC_MEMORY,): _oidc_memory,
    (OIDC_REDIS,): _oidc_redis,
    (EXPRESS,): _express,
    (DJANGO, DJANGO_USER): _django,
    (BETTER_AUTH,): _better_auth,
}


OF_DJANGO = ("django", "granian", "hiredis", "psycopg", "redis")


def versions() -> dict[str, str]:
    """Of the peers and of what they run on, as far as they are installed."""
    found: dict[str, str] = {}
    lock = json.loads((NODE / "package-lock.json").read_text(encoding="utf-8"))
    if (NODE / "node_modules" / ".stamp").exists():
        own = lock["packages"][""]
        for name in (*own["dependencies"], *own["optionalDependencies"]):
            if (NODE / "node_modules" / name).exists():
                found[name] = lock["packages"][f"node_modules/{name}"]["version"]
    if (PYTHON / "made.stamp").exists():
        command: list[str | Path] = [PYTHON / "python", "-m", "pip", "list", "--format=json"]
        told = subprocess.run(command, capture_output=True, check=True).stdout
        for package in json.loads(told):
            if (name := package["name"].lower()) in OF_DJANGO:
                found[f"{name} (Python)"] = package["version"]
    return found
