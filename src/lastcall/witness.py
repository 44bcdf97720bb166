"""The witness: a small file of a store's own that remembers how far it has seen its database.

Two slots are written in turn, each with its own checksum, so that a torn write leaves the other.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from lastcall.domain.errors import StoreUnavailable

SLOT = 512

S = TypeVar("S")
"""What a store has seen of its database."""


class RolledBack(StoreUnavailable):
    """The database is older than its witness, or has another history: a backup, or a torn disk.

    Sessions ended since then would live again, so nothing is served until an operator decides.
    """


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be used as the witness: {error.strerror}") from error


class Witness(ABC, Generic[S]):
    """`read` and `begin` raise `StoreUnavailable` where the file cannot be used at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1
        self._slot = 0

    @abstractmethod
    def pack(self, seen: S) -> bytes:
        """With its checksum, in at most `SLOT` bytes."""

    @abstractmethod
    def unpack(self, slot: bytes) -> S | None:
        """None for a slot that is empty or torn."""

    @abstractmethod
    def how_far(self, seen: S) -> int:
        """By what of two slots the newer one is known."""

    def read(self) -> S | None:
        """The newest whole slot; None when there is no file. Raises `RolledBack` if none is."""
        with _usable(self.path):
            try:
                with self.path.open("rb") as file:
                    raw = file.read(2 * SLOT)
            except FileNotFoundError:
                return None
        slots = (self.unpack(raw[start : start + SLOT]) for start in (0, SLOT))
        seen = max((one for one in slots if one is not None), key=self.how_far, default=None)
        if seen is None:
            raise RolledBack(f"{self.path} cannot be read, so nothing vouches for the database")
        return seen

    def begin(self, seen: S) -> None:
        """Write both slots anew, synced: from here on a missing file means something."""
        with _usable(self.path):
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            for _ in range(2):
                self.write(seen)
            self.sync()
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def write(self, seen: S) -> None:
        """Not synced: after a power cut it may be older than the database, never newer."""
        self._slot = 1 - self._slot
        os.pwrite(self._file, self.pack(seen), self._slot * SLOT)

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
