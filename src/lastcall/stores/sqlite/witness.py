"""The witness: a small file beside the database that remembers how far it had come.

Two slots are written in turn, each with its own checksum, so that a torn write leaves the other.
It is not synced at every commit: after a power cut it may be older than the database, never newer.
"""

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from lastcall.domain.types import Instant, Serial
from lastcall.stores.sqlite.errors import RolledBack

MAGIC = b"LASTCALL"
FIELDS = struct.Struct(">8sQQ32sQQ")
CHECKSUM = 16
SLOT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """How far the database had come: its commits, the head of its audit chain, the highest serial
    of any tenant, and the latest instant it told of."""

    batch: int
    seq: int
    digest: bytes
    serial: Serial
    latest: Instant


class Witness:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def read(self) -> Sighting | None:
        """The newest whole slot; None when there is no file. Raises `RolledBack` if none is."""
        try:
            with self.path.open("rb") as file:
                raw = file.read(2 * SLOT)
        except FileNotFoundError:
            return None
        slots = (_unpack(raw[start : start + SLOT]) for start in (0, SLOT))
        seen = max((one for one in slots if one), key=lambda one: one.batch, default=None)
        if seen is None:
            raise RolledBack(f"{self.path} cannot be read, so nothing vouches for the database")
        return seen

    def begin(self, sighting: Sighting) -> None:
        """Write both slots anew, synced: from here on a missing file means something."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for start in (0, SLOT):
            os.pwrite(self._file, _pack(sighting), start)
        self.sync()
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def write(self, sighting: Sighting) -> None:
        os.pwrite(self._file, _pack(sighting), sighting.batch % 2 * SLOT)

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _pack(seen: Sighting) -> bytes:
    body = FIELDS.pack(MAGIC, seen.batch, seen.seq, seen.digest, seen.serial, seen.latest)
    return (body + _checksum(body)).ljust(SLOT, b"\0")


def _unpack(slot: bytes) -> Sighting | None:
    body, checksum = slot[: FIELDS.size], slot[FIELDS.size : FIELDS.size + CHECKSUM]
    if len(body) < FIELDS.size or checksum != _checksum(body):
        return None
    magic, batch, seq, digest, serial, latest = FIELDS.unpack(body)
    if magic != MAGIC:
        return None
    return Sighting(batch=batch, seq=seq, digest=digest, serial=serial, latest=latest)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:CHECKSUM]
