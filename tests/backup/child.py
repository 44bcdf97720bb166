"""A process that makes or restores a backup, and kills itself at the step that FAIL names.

With LARGEST in its environment no file of its may grow beyond that many bytes.
"""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from lastcall.domain.backup import Copied
from lastcall.stores.sqlite import SqliteBackups
from lastcall.stores.sqlite.copying import digest_of_file
from lastcall.stores.sqlite.restoring import restore


def trap(step: str) -> None:
    if step == os.environ.get("FAIL"):
        os.kill(os.getpid(), signal.SIGKILL)


async def create(path: Path, to: Path) -> None:
    async with SqliteBackups(path, pages=4, step=trap).draft(str(to)) as draft:
        await draft.describe(f"{draft.copied.sha256} {draft.copied.size}")
        await draft.publish()


def put_back(path: Path, folder: Path) -> None:
    file = folder / "lastcall.db"
    copied = Copied(
        file=file.name,
        size=file.stat().st_size,
        sha256=digest_of_file(file),
        schema=0,
        batch=0,
        seq=0,
        digest="",
        rows={},
    )
    restore(file, copied, path, aside=path.with_name("aside"), step=trap)


if __name__ == "__main__":
    if "LARGEST" in os.environ:
        most = int(os.environ["LARGEST"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    where, folder = Path(sys.argv[2]), Path(sys.argv[3])
    if sys.argv[1] == "create":
        asyncio.run(create(where, folder))
    else:
        put_back(where, folder)
