"""What is asked for at each scrape: the store as it stands, the outbox, the disk, who follows."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.core import Metric

from lastcall import __version__
from lastcall.domain.delivery import DeliveryState
from lastcall.metrics.families import Labels, by_one, gauge, plain
from lastcall.ports import Condition

FILES = ("", "-wal")
"""A database and what lies beside it, by the ends of their names."""


@dataclass(slots=True)
class Standing:
    """As it was last asked. `start` in seconds, from the process's beginning
    until it listened; `restored` since the epoch. `folder` is where the disk must not become full,
    `file` the database."""

    ready: bool = False
    answers: bool = False
    condition: Condition = field(default_factory=lambda: Condition(backend="memory"))
    outbox: Mapping[DeliveryState, int] = field(default_factory=dict)
    overdue: float = 0.0
    queue: Callable[[], int] = lambda: 0
    streams: dict[Labels, int] = field(default_factory=dict)
    start: float | None = None
    restored: float | None = None
    folder: Path | None = None
    file: Path | None = None

    @contextmanager
    def streaming(self, dialect: str, route: str) -> Iterator[None]:
        """One more stream, as long as it lasts."""
        words = (dialect, route)
        self.streams[words] = self.streams.get(words, 0) + 1
        try:
            yield
        finally:
            self.streams[words] -= 1

    def families(self) -> Iterator[Metric]:
        one = self.condition
        yield gauge(
            "build_info", "What is running.", ("version", "python"), [((__version__, PYTHON), 1)]
        )
        yield gauge(
            "store_info",
            "What the record is kept in, and when a logout is acknowledged.",
            ("backend", "mode"),
            [((one.backend, one.mode), 1)],
        )
        yield plain("store_answers", "1 while the store can be asked.", self.answers)
        text = "When a rolled-back database was accepted last."
        yield plain("store_restored_timestamp_seconds", text, self.restored)
        yield from self._of_index()
        yield plain("lease_seconds", "How long this node may go on by itself.", one.lease)
        alone = one.lease is None
        yield plain("feed_behind", "Others' changes missing here.", None if alone else one.behind)
        yield plain("nodes", "Nodes that hold a lease.", one.nodes)
        yield gauge("streams", "Open streams.", ("dialect", "route"), list(self.streams.items()))
        yield gauge("outbox", "Deliveries by state.", ("state",), by_one(self.outbox))
        text = "How long the oldest due delivery has been waiting."
        yield plain("outbox_overdue_seconds", text, self.overdue)
        yield plain("login_queue", "Passwords being checked or waiting for it.", self.queue())
        yield from self._of_disk()

    def _of_index(self) -> Iterator[Metric]:
        one = self.condition
        yield plain("sessions_live", "Sessions that have not been ended.", one.sessions)
        yield plain("sessions_ended", "Ended sessions that are still kept.", one.tombstones)
        yield plain("subjects", "Accounts.", one.subjects)
        yield plain("index_bytes", "Estimate of the memory all these take.", one.bytes)
        yield plain("start_sessions", "Sessions read at the start.", one.loaded)
        yield plain("start_loading_seconds", "Time it took to read the store.", one.loading)
        yield plain("start_seconds", "Time from the process's begin to its listening.", self.start)

    def _of_disk(self) -> Iterator[Metric]:
        free = total = used = None
        try:
            if self.folder is not None:
                disk = os.statvfs(self.folder)
                free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
            if self.file is not None:
                used = sum(_size(self.file.with_name(self.file.name + end)) for end in FILES)
        except OSError:
            pass
        yield plain("disk_free_bytes", "Left where the store is.", free)
        yield plain("disk_bytes", "Size of the disk where the store is.", total)
        yield plain("store_file_bytes", "The database file and its log.", used)


PYTHON = ".".join(str(part) for part in sys.version_info[:3])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
