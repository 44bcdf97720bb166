"""Scene: make a store with many live sessions in a folder, for a server to open."""

import asyncio
import json
import sys
from pathlib import Path

from benchmarks.house import furnish, house


async def full_house(folder: Path, sessions: int) -> None:
    async with house(folder) as backends:
        await furnish(backends, sessions)


if __name__ == "__main__":
    asyncio.run(full_house(Path(sys.argv[1]), int(sys.argv[2])))
    print(json.dumps({"sessions": int(sys.argv[2])}))
