"""What is remembered of the database in a file beside it."""

import hashlib
import struct
from dataclasses import dataclass

from lastcall import witness
from lastcall.domain.types import Instant, Serial
from lastcall.witness import SLOT

MAGIC = b"LASTCALL"
FIELDS = struct.Struct(">8sQQ32sQQ")
CHECKSUM = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """How far the database had come: its commits, the head of its audit chain, the highest serial
    of any tenant, and the latest instant it told of."""

    batch: int
    seq: int
    digest: bytes
    serial: Serial
    latest: Instant


class Witness(witness.Witness[Sighting]):
    def pack(self, seen: Sighting) -> bytes:
        body = FIELDS.pack(MAGIC, seen.batch, seen.seq, seen.digest, seen.serial, seen.latest)
        return (body + _checksum(body)).ljust(SLOT, b"\0")

    def unpack(self, slot: bytes) -> Sighting | None:
        body, checksum = slot[: FIELDS.size], slot[FIELDS.size : FIELDS.size + CHECKSUM]
        if len(body) < FIELDS.size or checksum != _checksum(body):
            return None
        magic, batch, seq, digest, serial, latest = FIELDS.unpack(body)
        if magic != MAGIC:
            return None
        return Sighting(batch=batch, seq=seq, digest=digest, serial=serial, latest=latest)

    def how_far(self, seen: Sighting) -> int:
        return seen.batch


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:CHECKSUM]
