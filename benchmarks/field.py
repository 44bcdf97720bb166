"""The field: every contestant's server up at once, so that a round can ask them in turns."""

import http.client
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks import contestants
from benchmarks.contestants import Contestant
from benchmarks.full_house import OTHERS
from benchmarks.house import OTHER_HOST, token
from benchmarks.processes import Unmeasured, scene
from benchmarks.servers import Server, head_size, lastcall, nginx
from benchmarks.wrk import request, written

NGINX = "nginx, a constant"
TOKENS = 10_000
"""How many different ones a client shows in turns."""

FURNISHING = 900.0
"""Seconds a store may take to be filled."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything. `seconds` of a load; `scale` shortens the rest."""

    few: int = 10_000
    many: int = 1_000_000
    spare: int = 240_000
    people: int = 500
    logouts: int = 1_000
    seconds: int = 2
    scale: float = 1.0


QUICK = Sizes(few=500, many=5_000, spare=5_000, people=20, logouts=100, seconds=1, scale=0.05)


@dataclass(slots=True, kw_only=True)
class Asked:
    """One server to be asked for checks, with the requests to send."""

    server: Server
    requests: Path


@dataclass(kw_only=True)
class Run:
    """What the scenes of one run share; servers are stood up when the first scene wants them."""

    sizes: Sizes
    stack: ExitStack
    folder: Path
    say: Callable[[str], None]
    with_peers: bool = True
    rounds: int = 3
    absent: dict[str, str] = field(default_factory=dict)
    """What is not measured, by its name, and why."""

    @cached_property
    def few(self) -> Path:
        return self._furnished(self.sizes.few, "mixed")

    @cached_property
    def many(self) -> Path:
        return self._furnished(self.sizes.many, "mixed")

    @cached_property
    def spare(self) -> Path:
        return self._furnished(self.sizes.spare, "native")

    @cached_property
    def peers(self) -> list[Contestant]:
        if not self.with_peers:
            names = (name for some in contestants.OPENINGS for name in some)
            self.absent |= dict.fromkeys(names, "peers were left out of this run")
            return []
        self.say("starting the peers")
        found, absent = self.stack.enter_context(contestants.peers(self.folder / "peers"))
        self.absent |= absent
        return found

    def copy(self, home: Path, name: str) -> Path:
        """A store of its own for a server that is going to change it."""
        target = self.folder / name
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(home, target)
        return target

    def requests(self, name: str, requests: Sequence[bytes]) -> Path:
        return written(requests, self.folder / f"{name}.requests")

    def constant(self, like: Server) -> Server:
        """nginx, with a head as long as that of a check."""
        authorization = dict([bearer(0)])
        size = head_size(like.port, "/v1/check", authorization)
        return nginx(self.stack, self.folder / "nginx", size)

    def _furnished(self, sessions: int, kind: str) -> Path:
        self.say(f"making a store of {sessions:,} sessions")
        home = self.folder / f"{kind}-{sessions}"
        home.mkdir()
        scene("full_house", str(home), str(sessions), kind, patience=FURNISHING)
        return home


def bearer(number: int) -> tuple[str, str]:
    return "Authorization", f"Bearer {token(number)}"


def checks_of(sessions: int) -> list[bytes]:
    """Tokens from all over the store, the same number whatever its size."""
    step = max(1, sessions // TOKENS)
    return [request("GET", "/v1/check", [bearer(number)]) for number in range(0, sessions, step)]


def checks_of_others(many: int) -> list[bytes]:
    """Of another tenant, whom no logout of the first one concerns."""
    return [
        request("GET", "/v1/check", [bearer(OTHERS + number)]).replace(
            b"Host: 127.0.0.1", f"Host: {OTHER_HOST}".encode(), 1
        )
        for number in range(many)
    ]


def served(run: Run, home: Path) -> Server:
    return lastcall(run.stack, home)


GOOD = (b'"active":true', b'"session":{', b'"user":{', b'"user": {')
"""One of these is in the answer of every peer to a check of a session that counts."""


def still_good(contestant: Contestant, shown: str) -> bool:
    """What a check says of a token or cookie."""
    method, path, headers, body = _parsed(contestant.check(shown))
    connection = http.client.HTTPConnection("127.0.0.1", contestant.server.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status == 204:
        return True
    if answer.status == 200:
        return any(sign in text for sign in GOOD)
    if answer.status in (401, 403):
        return False
    raise Unmeasured(f"{contestant.name} answers {answer.status} to a check")


def _parsed(raw: bytes) -> tuple[str, str, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.decode("ascii").split("\r\n")
    method, path, _ = first.split(" ")
    return method, path, dict(line.split(": ", 1) for line in fields), body
