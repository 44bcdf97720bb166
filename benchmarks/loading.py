"""Scene: opening a store with a crowd in it: how long, how much memory, how much disk."""

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from benchmarks.house import config_in, token
from lastcall.domain.token import hash_token
from lastcall.machine import settle_memory
from lastcall.main import configured, opened

LOOKS = 50_000
"""Sessions that are checked before the memory is read: those in use weigh more."""


async def loading(folder: Path) -> dict[str, Any]:
    before = resident()
    began = time.perf_counter()
    async with opened(configured(config_in(folder), {})) as backends:
        took = time.perf_counter() - began
        settle_memory()
        store = backends.env.store
        loaded = resident()
        sessions = await store.live_sessions()
        step = max(1, sessions // LOOKS)
        for number in range(0, sessions, step):
            assert await store.find(hash_token(token(number))) is not None
        used = resident()
    return {
        "sessions": sessions,
        "seconds": took,
        "sessions_per_second": sessions / took,
        "process_before": before,
        "process_loaded": loaded,
        "process_used": used,
        "bytes_per_session": used / sessions,
        "bytes_per_session_added": (used - before) / sessions,
        **on_disk(folder / "lastcall.db", sessions),
    }


def resident() -> int:
    """Bytes of memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096


def on_disk(path: Path, sessions: int) -> dict[str, Any]:
    """The file with everything in it, and what the table of sessions has of it."""
    with closing(apsw.Connection(str(path))) as db:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        sizes: Counter[str] = Counter()
        for name, size in db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
            sizes[name] = size
    return {
        "file_bytes_per_session": path.stat().st_size / sessions,
        "row_bytes_per_session": sizes["sessions"] / sessions,
        "tables": {name: size for name, size in sizes.items() if size > 100_000},
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(loading(Path(sys.argv[1])))))
