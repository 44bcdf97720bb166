"""A storm of logins fills its own queue: checks and logouts do not wait behind it."""

import asyncio
from dataclasses import replace

from lastcall.domain.attempts import Limit
from lastcall.domain.errors import Busy
from lastcall.domain.policy import Policy
from lastcall.domain.types import MINUTE
from tests.authority.acts import alive, begin, end
from tests.fakes import FakePasswords
from tests.world import make_world

OFF = Limit(tries=0, window=MINUTE, lockout=MINUTE)
PLACES = 20
STORM = 200


class Slow(FakePasswords):
    """Takes so many at once, answers none before it is let go, and turns the others away."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.inside = 0

    async def verify(self, encoded: str, digest: str) -> bool:
        if self.inside >= PLACES:
            raise Busy("all places are taken")
        self.inside += 1
        await self.go.wait()
        return await super().verify(encoded, digest)


async def test_a_logout_finishes_while_every_login_is_stuck() -> None:
    world = await make_world(policy=Policy(subject_lockout=OFF, address_lockout=OFF))
    one, other = await begin(world, "john"), await begin(world, "john")
    slow = Slow()
    world.env = replace(world.env, passwords=slow)
    storm = [asyncio.create_task(begin(world, "john")) for _ in range(STORM)]
    async with asyncio.timeout(60):
        while slow.inside < PLACES:  # noqa: ASYNC110  # the fake is what is watched
            await asyncio.sleep(0)
    await end(world, one.caller)
    assert not await alive(world, one)
    assert await alive(world, other)
    assert not any(task.done() and not task.exception() for task in storm)
    slow.go.set()
    results = await asyncio.gather(*storm, return_exceptions=True)
    assert sum(isinstance(result, Busy) for result in results) == STORM - PLACES
