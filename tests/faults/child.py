"""A process that ends a session and kills itself at the step of a commit that FAIL names.

It says on its standard output what it was told, each line before anything else is done.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from lastcall.domain.logout import OfSubject
from lastcall.domain.types import SessionId
from lastcall.stores.sqlite import SqliteStore
from tests.contract.rows import ANN, GONE, ONE, a_revocation, an_event, fill, token_of


class Trap:
    """Springs at the named step of the first commit that is decided once it is armed."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.armed = False
        self.before = ["decided", "taken"]

    def __call__(self, step: str) -> None:
        if not self.armed:
            return
        if self.before and step != self.before[0]:
            return  # of the commit before, which its thread has not done with
        self.before = self.before[1:]
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(path: Path, trap: Trap, verb: str) -> None:
    store = await SqliteStore.open(path, step=trap)
    await fill(store, 3)
    say("started")
    trap.armed = True
    logout = asyncio.create_task(end_one(store) if verb == "one" else end_all(store))
    await asyncio.sleep(0)
    found = await store.find(token_of(1))
    if found is not None and (found.session.ended or found.revoked_before):
        say("seen ended")
    await logout
    say("answered")
    await store.close()
    say("closed")


async def end_one(store: SqliteStore) -> None:
    async with store.transaction(ONE) as tx:
        await tx.end_session(SessionId("s1"), GONE)
        await tx.record(an_event("logout"))


async def end_all(store: SqliteStore) -> None:
    async with store.transaction(ONE) as tx:
        revocation = a_revocation(await tx.next_serial(), OfSubject(subject=ANN))
        await tx.add_revocation(revocation)
        await tx.end_sessions(revocation, 1)
        await tx.record(an_event("logout"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Trap(os.environ["FAIL"]), sys.argv[2]))
