"""Clients of several nodes, and everything they were told, on one clock."""

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.checker import NEVER, Answer, Broken, Call, broken
from tests.nodes.asking import PATIENCE, Line, Unanswered
from tests.nodes.asking import Answer as Reply
from tests.nodes.house import PASSWORD, House, Node

log = logging.getLogger(__name__)

RECENT = 24
"""Sessions that ended last, which half of all checks are about."""


@dataclass
class One:
    """A session, and every answer about it."""

    token: str
    id: str = ""
    history: list[Call] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What each logout of it was answered with, for whoever has to find out what went wrong."""

    def heard(self, asked: float, answer: Answer) -> None:
        late = NEVER if answer is Answer.LOST else time.monotonic()
        self.history.append(Call(asked, late, answer))

    @property
    def done(self) -> bool:
        return any(call.answer is Answer.DONE for call in self.history)

    @property
    def doubtful(self) -> bool:
        """Somebody tried to end it, and was never told that it has ended."""
        answers = {call.answer for call in self.history}
        return Answer.LOST in answers and not answers & {Answer.DONE, Answer.ENDED}


AT_ONCE = 24
"""Logins under way at one time; each costs a node a password to hash."""


Ask = Callable[[Line, One], Awaitable[bool | None]]
"""Ask about a token: True when it counted, False when it was refused, None: cannot tell."""


async def by_check(line: Line, one: One) -> bool | None:
    reply = await line.ask("GET", "/v1/check", one.token)
    return {204: True, 401: False}.get(reply.status)


@dataclass
class Crowd:
    """Everybody who asks the nodes of one house. `slack`: how long leased nodes may lag."""

    house: House
    sessions: list[One] = field(default_factory=list)
    unclear: Counter[str] = field(default_factory=Counter)
    slack: float = 0.0
    ways: Sequence[Ask] = (by_check,)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    _recent: deque[One] = field(default_factory=lambda: deque(maxlen=RECENT))
    _lines: dict[str, list[Line]] = field(default_factory=dict)

    async def ask(self, node: Node, method: str, path: str, *more: Any, **named: Any) -> Reply:
        """One call at one node, on a line nobody else is using. Raises `Unanswered`."""
        line = self._line(node)
        try:
            return await line.ask(method, path, *more, **named)
        finally:
            self._back(line)

    async def insist(self, node: Node, method: str, path: str, *more: Any, **named: Any) -> Reply:
        """`ask`, again and again while the node cannot tell, or hangs up on a line long idle."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                reply = await self.ask(node, method, path, *more, **named)
                if reply.status != 503:
                    return reply
                said = str(reply.body)
            except Unanswered as error:
                if not node.runs:
                    raise
                said = str(error)
            assert time.monotonic() < end, f"{node.name}: {said}"
            self.unclear[f"{method} refused"] += 1
            await asyncio.sleep(0.1)

    def _line(self, node: Node) -> Line:
        """Raises `Unanswered` while a node is only just starting."""
        if not node.server.url:
            raise Unanswered(f"{node.name} has no address yet")
        idle = self._lines.setdefault(node.server.url, [])
        return idle.pop() if idle else Line(node.server.url)

    def _back(self, line: Line) -> None:
        self._lines.setdefault(f"http://{line.host}", []).append(line)

    async def log_in(self, node: Node, username: str, **more: Any) -> One:
        """A session; it counts everywhere from the answer on.

        Asked for again while the node says that it has no store that takes writes.
        """
        body = {"username": username, "password": PASSWORD, **more}
        reply = await self.insist(node, "POST", "/v1/login", body=body)
        assert reply.status == 200, reply.body
        told = reply.json()
        one = One(told["token"], told["session"])
        self.sessions.append(one)
        return one

    async def log_in_all(self, count: int, username: str = "person0") -> list[One]:
        nodes, turns = self.house.nodes, asyncio.Semaphore(AT_ONCE)

        async def log_in(number: int) -> One:
            async with turns:
                return await self.log_in(nodes[number % len(nodes)], username)

        return await asyncio.gather(*(log_in(number) for number in range(count)))

    async def check(self, node: Node, one: One, way: Ask = by_check) -> bool | None:
        """None when the node could not tell, which is what a node in doubt has to say."""
        asked = time.monotonic()
        try:
            line = self._line(node)
            try:
                counted = await way(line, one)
            finally:
                self._back(line)
        except Unanswered:
            self.unclear["unanswered"] += 1
            return None
        if counted is None:
            self.unclear["in doubt"] += 1
        else:
            one.heard(asked, Answer.LIVE if counted else Answer.ENDED)
        return counted

    async def everywhere(self, one: One) -> list[bool | None]:
        return await asyncio.gather(*(self.check(node, one) for node in self.house.nodes))

    async def told(self, one: One, *nodes: Node, way: Ask = by_check) -> list[bool | None]:
        """What these nodes say, or all, once each can tell: on a busy machine a lease may run
        out."""
        end = time.monotonic() + PATIENCE
        while True:
            asked = (self.check(node, one, way) for node in nodes or self.house.nodes)
            answers = await asyncio.gather(*asked)
            if None not in answers or time.monotonic() > end:
                return answers
            await asyncio.sleep(0.05)

    async def log_out(self, node: Node, one: One, aftermath: bool = True, **body: Any) -> Answer:
        """End it with its own token, then ask about it everywhere at once."""
        return await self.end(node, one, [one], aftermath, **body)

    async def receipt(self, node: Node, id: str, by: One) -> Any:
        """What the node shows of a logout once all is done and told, or else in the end."""
        end = time.monotonic() + PATIENCE
        while True:
            reply = await self.insist(node, "GET", f"/v1/receipts/{id}?wait=5", by.token)
            shown = reply.json()
            told = all(one["state"] == "acknowledged" for one in shown["deliveries"])
            if (shown["complete"] and told) or time.monotonic() > end:
                return shown

    async def out_at_last(self, node: Node, one: One, **body: Any) -> Answer:
        """Log out as people do: again and again until the node says that it is done.

        A node that can tell who is logged in may still be looking for a store that takes writes.
        """
        return await self.end_at_last(node, one, [one], **body)

    async def end_at_last(self, node: Node, by: One, ended: Sequence[One], **body: Any) -> Answer:
        end = time.monotonic() + PATIENCE
        while (answer := await self.end(node, by, ended, **body)) is Answer.LOST:
            assert time.monotonic() < end, f"it cannot end: {ended[0].said[-3:]}"
            await asyncio.sleep(0.1)
        return answer

    async def end(
        self, node: Node, by: One, ended: Sequence[One], aftermath: bool = True, **body: Any
    ) -> Answer:
        """A logout that `by` asks for and that ends `ended`."""
        asked, answer = time.monotonic(), Answer.LOST
        try:
            reply = await self.ask(node, "POST", "/v1/logout", by.token, body=body)
            answer = {200: Answer.DONE, 401: Answer.ENDED}.get(reply.status, Answer.LOST)
            said = f"{node.name}: {reply.status} {reply.body[:160]!r}"
        except Unanswered as error:
            self.unclear["logout unanswered"] += 1
            said = f"{node.name}: {str(error) or 'no answer'}"
        for one in [by] if answer is Answer.ENDED else ended:
            one.heard(asked, answer)
            one.said.append(said)
            self._recent.append(one)
        if aftermath and answer is Answer.DONE:
            await asyncio.gather(*(self.everywhere(one) for one in ended))
        return answer

    @asynccontextmanager
    async def checking(self, per_node: int = 3) -> AsyncIterator[None]:
        """Checks at every node, all the time; the verdict is for the caller to ask for."""
        tasks = [
            asyncio.create_task(self._keep_checking(node))
            for node in self.house.nodes
            for _ in range(per_node)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _keep_checking(self, node: Node) -> None:
        while True:
            if not self.sessions or not node.runs:
                await asyncio.sleep(0.01)
                continue
            some: Sequence[One] = self.sessions
            if self._recent and self.chance.random() < 0.5:
                some = self._recent
            one = self.chance.choice(some)
            if await self.check(node, one, self.chance.choice(self.ways)) is None:
                await asyncio.sleep(0.02)

    def broken(self) -> list[tuple[str, Broken, Call]]:
        """Every answer that no true register gives."""
        return [
            (one.token[:12], *found)
            for one in self.sessions
            for found in broken(one.history, self.slack)
        ]

    def doubtful(self) -> list[tuple[str, list[str]]]:
        """The sessions of which nobody knows whether they have ended, and what was said of each."""
        return [(one.token[:12], one.said) for one in self.sessions if one.doubtful]

    def answers(self) -> Counter[Answer]:
        return Counter(call.answer for one in self.sessions for call in one.history)

    def close(self) -> None:
        for lines in self._lines.values():
            for line in lines:
                line.close()


@asynccontextmanager
async def crowd(house: House, **more: Any) -> AsyncIterator[Crowd]:
    """Clients whose every answer is judged at the end: not one may be wrong.

    A test that fails before is told the verdict as well: whether a logout was refused, which may
    be, or was lost after it had been answered, which never is.
    """
    made = Crowd(house, **more)
    try:
        yield made
    except BaseException as error:
        error.add_note(_verdict(made.broken()))
        error.add_note(f"logouts in doubt: {made.doubtful()[:5]}, unclear {dict(made.unclear)}")
        raise
    finally:
        made.close()
    found = made.broken()
    assert not found, _verdict(found)
    answers = made.answers()
    said = {str(answer): count for answer, count in answers.items()}
    log.info("judged %d: %s, unclear %s", sum(answers.values()), said, dict(made.unclear))


def _verdict(found: Sequence[tuple[str, Broken, Call]]) -> str:
    return f"{len(found)} answers that cannot be: {found[:5]}"
