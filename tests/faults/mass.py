"""A process that logs a whole tenant out and sweeps, and kills itself at the Nth time a commit
comes to the step that FAIL names (`STEP:N`)."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from lastcall.authority.logout import logout
from lastcall.authority.sweep import sweep
from lastcall.domain.access import operator
from lastcall.domain.client import Naming
from lastcall.domain.delivery import Delivery
from lastcall.domain.logout import OfTenant
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Policy
from lastcall.domain.session import Participant
from lastcall.domain.types import DialectName, SubjectId
from lastcall.ports import Env
from lastcall.stores.sqlite import SqliteStore
from tests.contract.rows import a_client, a_session, serials_up_to
from tests.world import TENANT, make_world

SESSIONS = 9
PEOPLE = [SubjectId(f"u-{name}") for name in ("john", "admin", "monitor")]
CLIENTS = [
    a_client("wiki", TENANT, naming=Naming.SID, always=False),
    a_client("mail", TENANT, naming=Naming.SUB, always=False),
    a_client("vpn", TENANT, naming=Naming.SUB, always=True),
]
BY = operator(TENANT, Origin(dialect=DialectName("test")))


class Trap:
    """Springs at the Nth pass of the named step, by what is decided once it is armed.

    The commit before may still be passing: its thread goes on after whoever waited has heard.
    """

    def __init__(self, fail: str) -> None:
        self.step, _, passes = fail.partition(":")
        self.left = int(passes or 0)
        self.armed = self.ours = False

    def __call__(self, step: str) -> None:
        if step in ("decided", "taken"):
            self.ours = self.armed
        if self.ours and step == self.step:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


async def fill(store: SqliteStore) -> Env:
    world = await make_world(store, Policy(batch=2))
    async with store.transaction(TENANT) as tx:
        for client in CLIENTS:
            await tx.put_client(client)
        for number in range(1, SESSIONS + 1):
            await serials_up_to(tx, number)
            joined = tuple(
                Participant(client=one.id, sid=f"{one.name}-{number}", account="")
                for one in CLIENTS[:2]
            )
            who = PEOPLE[number % len(PEOPLE)]
            row = a_session(number, TENANT, subject=who, participants=joined)
            await tx.add_session(replace(row, idle=None))
    return world.env


async def finish(env: Env) -> None:
    while await sweep(env):
        continue


async def owed(store: SqliteStore) -> list[Delivery]:
    async with store.transaction(TENANT) as tx:
        return list(await tx.deliveries(limit=1_000))


def wanted() -> set[tuple[str, str, str]]:
    """(client, subject, sid) of all that a logout of everybody owes."""
    everybody = {(number, PEOPLE[number % len(PEOPLE)]) for number in range(1, SESSIONS + 1)}
    return {(CLIENTS[0].id, who, f"wiki-{number}") for number, who in everybody} | {
        (client.id, who, "") for client in CLIENTS[1:] for _, who in everybody
    }


async def main(path: Path, trap: Trap) -> None:
    store = await SqliteStore.open(path, step=trap)
    env = await fill(store)
    trap.armed = True
    await logout(env, BY, OfTenant())
    await finish(env)
    trap.armed = False
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Trap(os.environ["FAIL"])))
