"""Checks and logouts at once, over HTTP, across a kill -9: the history must be one of a register.

What is known at the moment of the kill is on disk, or nobody had been told of it: whichever way a
logout without an answer went, no check may ever say otherwise afterwards.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.checker import NEVER, Answer, Call, broken
from tests.e2e.server import PATIENCE, Server, demo
from tests.e2e.test_cli import MONITOR, lives, log_in

pytestmark = pytest.mark.e2e

ENGINEER = {"username": "engineer", "password": "Engineer_1234"}
CHECKERS = 8
SINGLE, TOGETHER, SPARED = 30, 8, 4
"""Sessions that end one by one, those that end with one call, and those that nobody ends."""


@dataclass
class One:
    """A session, and every answer about it."""

    token: str
    history: list[Call] = field(default_factory=list)

    def heard(self, asked: float, answer: Answer) -> None:
        late = NEVER if answer is Answer.LOST else time.monotonic()
        self.history.append(Call(asked, late, answer))


@dataclass
class Clients:
    """`url` is empty while no server is there. `over` ends the checking."""

    http: aiohttp.ClientSession
    url: str = ""
    over: bool = False

    async def check(self, one: One) -> None:
        """What is not answered tells nothing."""
        asked = time.monotonic()
        headers = {"Authorization": f"Bearer {one.token}"}
        async with self.http.get(f"{self.url}/v1/check", headers=headers) as reply:
            if reply.status in (204, 401):
                one.heard(asked, Answer.LIVE if reply.status == 204 else Answer.ENDED)

    async def log_out(self, by: One, ended: list[One], **body: object) -> None:
        asked, answer = time.monotonic(), Answer.LOST
        headers = {"Authorization": f"Bearer {by.token}"}
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.http.post(f"{self.url}/v1/logout", json=body, headers=headers) as reply:
                answer = {200: Answer.DONE, 401: Answer.ENDED}.get(reply.status, Answer.LOST)
        for one in [by] if answer is Answer.ENDED else ended:
            one.heard(asked, answer)

    async def keep_checking(self, some: list[One], chance: random.Random) -> None:
        while not self.over:
            if self.url:
                with suppress(aiohttp.ClientError, TimeoutError):
                    await self.check(chance.choice(some))
            await asyncio.sleep(0 if self.url else 0.01)


def given(about: list[One], answer: Answer) -> int:
    return sum(call.answer is answer for one in about for call in one.history)


async def heard(about: list[One], answer: Answer, times: int) -> None:
    """Return once it has been given so many times, and more."""
    async with asyncio.timeout(PATIENCE):
        while given(about, answer) <= times:  # noqa: ASYNC110  # nothing tells a test
            await asyncio.sleep(0.01)


@contextmanager
def running(folder: Path, clients: Clients) -> Iterator[Server]:
    with demo(folder) as server:
        clients.url = server.url
        yield server
        clients.url = ""


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_check_contradicts_another_or_a_logout_across_a_kill(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http:
        clients = Clients(http)
        with running(tmp_path, clients) as server:
            single = [One(log_in(server, MONITOR)) for _ in range(SINGLE)]
            together = [One(log_in(server, ENGINEER)) for _ in range(TOGETHER)]
            spared = [One(log_in(server, MONITOR)) for _ in range(SPARED)]
            everything = [*single, *together, *spared]
            checking = [
                asyncio.create_task(clients.keep_checking(everything, random.Random(seed + n)))
                for n in range(CHECKERS)
            ]
            await heard(everything, Answer.LIVE, 100)
            await asyncio.gather(*(clients.log_out(one, [one]) for one in single[:10]))
            burst = [asyncio.create_task(clients.log_out(one, [one])) for one in single[10:20]]
            others = {"scope": {"kind": "others"}}
            burst.append(asyncio.create_task(clients.log_out(together[0], together[1:], **others)))
            await asyncio.sleep(chance.uniform(0.0, 0.04))
            await asyncio.to_thread(server.kill)
            clients.url, gone = "", clients.url
            await asyncio.gather(*burst)
        assert gone
        with running(tmp_path, clients) as server:
            await asyncio.gather(*(clients.check(one) for one in everything))
            for one in single[10:]:  # also those whose logout nobody has heard of
                await clients.log_out(one, [one])
            await clients.log_out(together[0], together[1:], **others)
            await heard(everything, Answer.ENDED, 100)
            clients.over = True
            await asyncio.gather(*checking)
            for one in everything:
                await clients.check(one)
            assert all(lives(server, one.token) for one in (*spared, together[0]))
            assert not any(lives(server, one.token) for one in (*single, *together[1:]))
    assert {one.token: found for one in everything if (found := broken(one.history))} == {}
    assert given(everything, Answer.DONE) >= SINGLE - 10
