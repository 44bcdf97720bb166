"""The witness: a small file of the node's own that remembers how far it has seen the database.

Two slots are written in turn, each with its own checksum, so that a torn write leaves the other.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lastcall.stores.postgres.errors import RolledBack

SLOT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The epoch and the highest number of the feed seen, the head of the audit chain there, and
    the highest serial of any tenant."""

    epoch: str
    seq: int
    chain: int
    digest: bytes
    serial: int


class Witness:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1
        self._slot = 0

    def read(self) -> Sighting | None:
        """The newest whole slot; None without a file. Raises `RolledBack` if none is whole."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None
        slots = (_unpack(raw[start : start + SLOT]) for start in (0, SLOT))
        seen = max((one for one in slots if one), key=lambda one: one.seq, default=None)
        if seen is None:
            raise RolledBack(f"{self.path} cannot be read, so nothing vouches for the database")
        return seen

    def begin(self, seen: Sighting) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(2):
            self.write(seen)
        os.fsync(self._file)

    def write(self, seen: Sighting) -> None:
        self._slot = 1 - self._slot
        os.pwrite(self._file, _pack(seen), self._slot * SLOT)

    def close(self) -> None:
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1


def _pack(seen: Sighting) -> bytes:
    body = msgspec.json.encode(seen)
    return (hashlib.sha256(body).digest()[:16] + body).ljust(SLOT, b" ")


def _unpack(slot: bytes) -> Sighting | None:
    checksum, body = slot[:16], slot[16:].rstrip(b" ")
    if not body or hashlib.sha256(body).digest()[:16] != checksum:
        return None
    return msgspec.json.decode(body, type=Sighting)
