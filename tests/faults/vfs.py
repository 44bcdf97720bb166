"""Disks for SQLite that remember, fail, and lose what was not synced when the power goes."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
NAMES = count()


@dataclass(frozen=True, slots=True)
class Wrote:
    file: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """The file was shortened to this many bytes."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    file: str


@dataclass(frozen=True, slots=True)
class Removed:
    """The file was deleted, and its folder synced."""

    file: str


Event = Wrote | Cut | Synced | Removed


@dataclass
class Disk:
    """Everything that was done to its files, in order; and what is to go wrong with them.

    `fail_after` counts down with every operation of the kind `failing` ("write" or "sync"); the
    one that finds it at zero fails, and none after it: a disk that forgets that it failed.
    """

    events: list[Event] = field(default_factory=list)
    failing: str = ""
    fail_after: int = 0
    failed: bool = False

    def note(self, event: Event) -> None:
        self.events.append(event)

    def may_fail(self, kind: str, code: int) -> None:
        if kind != self.failing or self.failed:
            return
        if self.fail_after == 0:
            self.failed = True
            raise apsw.exception_for(code)
        self.fail_after -= 1


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        path = name if isinstance(name, str) else name.filename() if name else "temporary"
        self._name = Path(path).name
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name for it
        self._disk.may_fail("write", apsw.SQLITE_IOERR_WRITE)
        self._disk.note(Wrote(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.note(Cut(self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.may_fail("sync", apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)
        self._disk.note(Synced(self._name))


class DiskVfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, "")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> DiskFile:  # noqa: N802
        return DiskFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self._disk.note(Removed(Path(filename).name))


@contextmanager
def mounted(disk: Disk) -> Iterator[str]:
    """The name under which SQLite finds the disk."""
    name = f"disk-{next(NAMES)}"
    vfs = DiskVfs(name, disk)
    try:
        yield name
    finally:
        vfs.unregister()


def after_power_cut(events: list[Event], chance: random.Random) -> dict[str, bytes]:
    """What could be found on the disk if the power went after these events.

    Everything before a file's last sync is there. Of what came later each operation may have
    reached the disk or not, in any order of files, and a write may have reached it in part.
    """
    settled = (Synced, Removed)
    last_sync = {event.file: at for at, event in enumerate(events) if isinstance(event, settled)}
    files: dict[str, bytearray] = {}
    for at, event in enumerate(events):
        content = files.setdefault(event.file, bytearray())
        certain = at <= last_sync.get(event.file, -1)
        if not certain and chance.random() < 0.5:
            continue
        match event:
            case Wrote(at=place, data=data):
                if not certain and chance.random() < 0.3:
                    data = data[: SECTOR * chance.randrange(1 + len(data) // SECTOR)]
                content.extend(bytes(max(0, place - len(content))))
                content[place : place + len(data)] = data
            case Cut(size=size):
                del content[size:]
            case Removed():
                del files[event.file]
            case Synced():
                pass
    return {name: bytes(content) for name, content in files.items()}
