"""What was measured, as a table for people and as plain values for programs."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from lastcall import __version__

MILLI = 1_000
MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`per_second` answers; the times of `quantiles` in seconds; `cpu` seconds of the server's
    processor for each answer."""

    per_second: float
    p50: float
    p99: float
    p999: float
    connections: int
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Times in seconds, sizes in bytes. `syncs` is how often a second the disk takes one page."""

    folder: str
    sessions: int
    cores: int
    pinned: bool
    checks: Load
    logouts: Load
    syncs: float
    sync_p99: float
    transactions_per_commit: float
    start_empty: float
    start: float
    memory_empty: int
    memory: int
    disk: int

    @property
    def logouts_per_sync(self) -> float:
        return self.logouts.per_second / self.syncs if self.syncs else 0.0

    @property
    def memory_each(self) -> float:
        return max(0, self.memory - self.memory_empty) / self.sessions

    @property
    def disk_each(self) -> float:
        return self.disk / self.sessions

    def rows(self) -> Sequence[Sequence[Any]]:
        checks, logouts = self.checks, self.logouts
        where = "its own core" if self.pinned else "the only core, shared with the client"
        each = checks.cpu * MICRO
        return [
            ["checks", f"{checks.per_second:,.0f} a second", f"server on {where}"],
            ["check", _times(checks, MICRO, "µs"), f"{checks.connections} connections"],
            ["check, server's work", f"{each:.1f} µs", f"enough for {MICRO / each:,.0f} a second"],
            ["durable logouts", f"{logouts.per_second:,.0f} a second", "each on the disk"],
            ["logout", _times(logouts, MILLI, "ms"), f"{logouts.connections} clients"],
            ["disk", f"{self.syncs:,.0f} syncs a second", f"p99 {self.sync_p99 * MILLI:.2f} ms"],
            ["logouts for each sync", f"{self.logouts_per_sync:.1f}", "that the disk can do"],
            ["changes in a commit", f"{self.transactions_per_commit:.1f}", "on average"],
            ["memory of a session", f"{self.memory_each:,.0f} bytes", _mib(self.memory)],
            ["disk of a session", f"{self.disk_each:,.0f} bytes", _mib(self.disk)],
            ["start", f"{self.start:.2f} s", f"with {self.sessions:,} sessions"],
            ["start", f"{self.start_empty:.2f} s", "with none"],
        ]

    def values(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "logouts_per_sync": self.logouts_per_sync,
            "memory_each": self.memory_each,
            "disk_each": self.disk_each,
            "machine": machine(),
        }


def machine() -> dict[str, str]:
    return {
        "lastcall": __version__,
        "python": platform.python_version(),
        "apsw": version("apsw"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def _times(load: Load, scale: int, unit: str) -> str:
    shown = (f"{one * scale:,.{0 if scale == MICRO else 2}f}" for one in (load.p50, load.p99))
    p50, p99 = shown
    return f"p50 {p50}, p99 {p99} {unit}"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB in all"
