"""A configuration in its place: settings, and where what they name lies."""

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
        return self.path(named) if named else self.store.with_name(self.store.name + ".heads.jsonl")

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
