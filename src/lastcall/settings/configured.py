"""A configuration in its place: settings, and where what they name lies."""

import hashlib
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from lastcall.settings.model import LastcallSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """Checked settings, and the folder relative paths in them begin at."""

    settings: LastcallSettings
    base: Path

    def path(self, text: str) -> Path:
        return self.base / text

    @property
    def store(self) -> Path:
        return self.path(self.settings.store.path)

    @property
    def own(self) -> Path:
        """Where this node's own files lie; several nodes of different names may share a folder."""
        node = self.settings.store.node
        return self.store.with_name(f"{self.store.name}-{node}") if node else self.store

    @property
    def node(self) -> str:
        """What this node is called: the machine's name with a mark of the folder, unless told."""
        folder = hashlib.sha256(str(self.base).encode()).hexdigest()[:6]
        machine = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:50]
        return self.settings.store.node or f"{machine or 'node'}-{folder}"

    @property
    def key_file(self) -> Path:
        named = self.settings.store.key_file
        return self.path(named) if named else self.store.with_name(self.store.name + ".key")

    @property
    def signing_keys(self) -> Path:
        named = self.settings.store.signing_keys
        return self.path(named) if named else self.store.with_name(self.store.name + ".signing")

    @property
    def heads(self) -> Path:
        named = self.settings.store.heads
        return self.path(named) if named else self.own.with_name(self.own.name + ".heads.jsonl")

    @property
    def geoip(self) -> Path | None:
        named = self.settings.server.geoip
        return self.path(named) if named else None

    @property
    def issuer(self) -> str:
        server = self.settings.server
        return server.public_url or url_of(server.host, server.port)

    @property
    def witness(self) -> Path | None:
        named = self.settings.store.witness
        return self.path(named) if named else None


def url_of(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
