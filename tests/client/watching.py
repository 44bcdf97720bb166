"""A guard that is asked about one session all the time, and every answer it gave."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from lastcall.client import CannotKnow, Identity, SessionGuard
from tests.checker import Answer, Call
from tests.client.running import PATIENCE, SECRET, log_out

LEASE = 1.0


@dataclass
class Watched:
    """A token that is checked all the time, and every answer about it."""

    guard: SessionGuard
    token: str
    history: list[Call] = field(default_factory=list)
    unknown: int = 0

    async def check(self) -> Answer | None:
        asked = time.monotonic()
        try:
            found = await self.guard.check(self.token)
        except CannotKnow:
            self.unknown += 1
            return None
        answer = Answer.LIVE if found else Answer.ENDED
        self.history.append(Call(asked, time.monotonic(), answer))
        return answer

    async def keep_checking(self) -> None:
        while True:
            await self.check()
            await asyncio.sleep(0.002)

    async def log_out(self, url: str) -> None:
        asked = time.monotonic()
        await asyncio.to_thread(log_out, url, self.token)
        self.history.append(Call(asked, time.monotonic(), Answer.DONE))

    async def ended(self) -> None:
        """Return once it is refused."""
        await until(lambda: self.history[-1].answer is Answer.ENDED)

    async def answered(self, token: str) -> Identity | None:
        """What the guard says of it once it can say anything."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(CannotKnow):
                    return await self.guard.check(token)

    def last(self, answer: Answer) -> float:
        return max(call.asked for call in self.history if call.answer is answer)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  # nothing tells a test
            await asyncio.sleep(0.005)


@asynccontextmanager
async def watched(
    url: str, token: str, lease: float = LEASE, service: str = "wiki", secret: str = SECRET
) -> AsyncIterator[Watched]:
    """From the first time on that it was let in."""
    async with SessionGuard(url, service, secret, lease=lease, patience=1.0) as guard:
        one = Watched(guard, token)
        checking = asyncio.create_task(one.keep_checking())
        try:
            await until(lambda: bool(one.history))
            yield one
        finally:
            checking.cancel()
            with suppress(asyncio.CancelledError):
                await checking
