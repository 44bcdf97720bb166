"""Several `lastcall serve` on one database, each with a network of its own between."""

import base64
import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lastcall.dialects.soajs.keys import mint_key
from tests.e2e.server import Server, lastcall, start
from tests.nodes.proxy import Network, Proxy, network
from tests.postgres.cluster import Cluster

PEOPLE = 12
PASSWORD = "Correct_horse_1"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SERVICE, SERVICE_SECRET = "watcher", "the secret of a service that watches"
SOAJS_ID, SOAJS_SECRET = "4442aca8e268c28b650f6a2a", "the secret of an application"
SOAJS_KEY = mint_key(SOAJS_ID, bytes(range(28)), "soajs key lal massa")
LEASE = 2.0
"""Seconds; what the nodes of tests are set to unless a test says otherwise."""

PATIENT = ('timeout = "2s"', 'connect_timeout = "2s"')
"""How long nodes wait for a database that says nothing: not for long, tests wait with them."""

CONFIG = f"""\
[server]
log_level = "debug"
drain_seconds = 1

[passwords]
memory_kib = 7168
passes = 1
queue = 1000

[tenants.default]
sessions_per_subject = 0
subject_lockout = {{ tries = 0 }}
address_lockout = {{ tries = 0 }}
factor_lockout = {{ tries = 0 }}

[tenants.few]
sessions_per_subject = 3
when_full = "refuse"
subject_lockout = {{ tries = 0 }}
address_lockout = {{ tries = 0 }}

[tenants.latest]
sessions_per_subject = 3
when_full = "end_oldest"
subject_lockout = {{ tries = 0 }}
address_lockout = {{ tries = 0 }}

[dialects.native]
more_tenants = ["few", "latest"]

[dialects.native.services.{SERVICE}]
secret = "{SERVICE_SECRET}"

[dialects.soajs.tenants.default]
id = "{SOAJS_ID}"
code = "TEST"
keys = ["{SOAJS_KEY}"]
oauth_secret = "{SOAJS_SECRET}"
"""


def person(number: int) -> str:
    return f"person{number}"


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@dataclass
class Node:
    """One server. `proxy` is its way to PostgreSQL."""

    name: str
    config: Path
    proxy: Proxy
    environ: Mapping[str, str]
    server: Server = field(init=False, repr=False)
    starts: int = 0

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> None:
        """Returns at once; `server.wait` waits. What an earlier run has logged is kept."""
        log = self.config.with_name("server.log")
        if log.exists():
            log.rename(log.with_name(f"server-{self.starts}.log"))
        self.starts += 1
        words = ("serve", "--config", str(self.config))
        environ = {"LASTCALL__SERVER__PORT": "0", **self.environ}
        self.server = start(words, self.config.parent, self.config, environ)

    def begin(self) -> None:
        self.start()
        self.server.wait()

    def freeze(self) -> None:
        os.kill(self.server.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.server.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self.server.kill()

    def end(self) -> None:
        if self.runs:
            self.thaw()
            self.server.stop()

    @property
    def runs(self) -> bool:
        return hasattr(self, "server") and self.server.process.poll() is None


@dataclass
class House:
    """`nodes` share `cluster`'s `database`, in which the people of `PEOPLE` have accounts."""

    nodes: Sequence[Node]
    cluster: Cluster
    database: str
    network: Network

    def operate(self, *words: str, node: int = 0, stdin: str = "") -> str:
        """What a command of the operator says, at one of the nodes."""
        config = str(self.nodes[node].config)
        done = lastcall(*words, "--config", config, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def begin(self) -> None:
        """Start those that do not run, all at once, and wait for every one."""
        for node in self.nodes:
            if not node.runs:
                node.start()
        for node in self.nodes:
            node.server.wait()

    def mend(self) -> None:
        """Everything as it was at the beginning, whatever a test has done to it."""
        for node in self.nodes:
            node.proxy.switch(self.cluster.port)
            node.proxy.heal()
            if node.runs:
                node.thaw()
        self.begin()


def accounts() -> str:
    people = [{"username": person(number), "password": PASSWORD} for number in range(PEOPLE)]
    people += [
        {"username": "admin", "password": PASSWORD, "role": "admin"},
        {"username": "careful", "password": PASSWORD, "totp_secret": TOTP, "role": "admin"},
        {"username": "frugal", "password": PASSWORD, "tenant": "few"},
        {"username": "warden", "password": PASSWORD, "tenant": "few", "role": "admin"},
        {"username": "restless", "password": PASSWORD, "tenant": "latest"},
    ]
    return "".join(json.dumps(one) + "\n" for one in people)


@contextmanager
def house(
    folder: Path,
    cluster: Cluster,
    database: str,
    *,
    count: int = 3,
    store: str = "",
    more: str = "",
    environ: Mapping[int, Mapping[str, str]] | None = None,
    url: str = "",
) -> Iterator[House]:
    """Nodes with accounts, ready. `store` are further lines of `[store]`, `more` of the file;
    `environ` is for nodes by their number; with a `url` they go there and not by a proxy."""
    with ExitStack() as stack:
        wires = stack.enter_context(network())
        nodes = []
        for number in range(count):
            proxy = wires.proxy(cluster.port)
            where = url or cluster.url_at(proxy.port, database)
            config = _configure(folder, number, where, store, more)
            nodes.append(Node(f"node{number}", config, proxy, (environ or {}).get(number, {})))
        made = House(nodes, cluster, database, wires)
        if "postgresql:" in nodes[0].config.read_text():
            made.operate("migrate", "--up")
        made.operate("users", "import", "-", stdin=accounts())
        for node in nodes:
            stack.callback(node.end)
        made.begin()
        yield made


def _configure(folder: Path, number: int, url: str, store: str, more: str) -> Path:
    """Keys are shared by all nodes; everything else is a node's own."""
    own = folder / f"node{number}"
    own.mkdir(parents=True, exist_ok=True)
    (folder / "shared").mkdir(exist_ok=True)
    section = [
        "[store]",
        f'url = "{url}"',
        f'key_file = "{folder}/shared/key"',
        f'signing_keys = "{folder}/shared/signing"',
        *(PATIENT if url.startswith("postgresql:") else ()),
        store,
    ]
    config = own / "lastcall.toml"
    config.write_text("\n".join([*section, CONFIG, more]))
    config.chmod(0o600)
    return config
