"""The heads file: signed heads of the audit chain, one a line, outside the database file."""

import asyncio
import json
import os
from pathlib import Path

from lastcall.domain.audit import SignedHead


class HeadsFile:
    """Grows at its end alone. Copied elsewhere, it shows whatever is done to the database later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = -1

    async def add(self, head: SignedHead) -> bool:
        """Return once it is on disk; False when this head is there already. Raises `OSError`."""
        if head.seq == self._last:
            return False
        await asyncio.to_thread(self._append, line_of_head(head).encode("ascii") + b"\n")
        self._last = head.seq
        return True

    def _append(self, line: bytes) -> None:
        """One write at the end of the file, after a line end where a crash had left none."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        handle = os.open(self.path, flags, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)


def line_of_head(head: SignedHead) -> str:
    shown = {"seq": head.seq, "at": head.at, "digest": head.digest.hex(), "signed": head.signed}
    return json.dumps(shown, separators=(",", ":"))
