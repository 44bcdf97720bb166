"""What a node remembers of the database, in a file of its own."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from lastcall import witness
from lastcall.witness import SLOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The epoch and the highest number of the feed seen, the head of the audit chain there, and
    the highest serial of any tenant."""

    epoch: str
    seq: int
    chain: int
    digest: bytes
    serial: int


class Witness(witness.Witness[Sighting]):
    def pack(self, seen: Sighting) -> bytes:
        body = msgspec.json.encode(seen)
        return (hashlib.sha256(body).digest()[:16] + body).ljust(SLOT, b" ")

    def unpack(self, slot: bytes) -> Sighting | None:
        checksum, body = slot[:16], slot[16:].rstrip(b" ")
        if not body or hashlib.sha256(body).digest()[:16] != checksum:
            return None
        return msgspec.json.decode(body, type=Sighting)

    def how_far(self, seen: Sighting) -> int:
        return seen.seq

    def close(self) -> None:
        """What is lost of it only makes it older than the database, as a power cut may."""
        if self._file >= 0:
            with suppress(OSError):
                self.sync()
        super().close()
