"""Scene: make a store with many live sessions in a folder, for a server to open.

Ten sessions a person in one tenant, an administrator of it, and a few sessions in another tenant.
The sessions are a mixed crowd's, begun over several dialects; or `native`, to be ended natively.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.crowd import EACH, gather
from benchmarks.house import OTHER, Crowd, fill, house

ADMIN = 90_000_000
OTHERS = 91_000_000
MANY_OTHERS = 1_000


async def full_house(folder: Path, sessions: int, kind: str) -> float:
    """Seconds it took."""
    began = time.monotonic()
    async with house(folder) as backends:
        if kind == "native":
            await fill(backends, Crowd(sessions=sessions, people=max(1, sessions // EACH)))
        else:
            await gather(backends, sessions)
        await fill(backends, Crowd(sessions=1, people=1, role="admin", first=ADMIN))
        others = Crowd(sessions=MANY_OTHERS, people=MANY_OTHERS, tenant=OTHER, first=OTHERS)
        await fill(backends, others)
    return time.monotonic() - began


if __name__ == "__main__":
    _, where, many, what = sys.argv
    print(json.dumps({"seconds": asyncio.run(full_house(Path(where), int(many), what))}))
