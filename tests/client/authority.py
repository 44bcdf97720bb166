"""A made-up authority behind the guard's port, and a clock that stands still until it is told."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from hashlib import sha256

from lastcall.client.cache import Answer
from lastcall.client.feed import Event, Forget, Marks, Position, Progress, Reset, Scope
from lastcall.client.identity import CannotKnow, Identity


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def key_of(token: str) -> bytes:
    return sha256(token.encode()).digest()


def who(name: str, *, tenant: str = "default", session: str = "") -> Identity:
    return Identity(
        subject=f"u-{name}",
        username=name,
        session=session or f"s-{name}",
        tenant=tenant,
        role="monitor",
        dialect="native",
    )


@dataclass
class FakeAuthority:
    """Sessions by token. `down`: nothing is answered. `lasts` in seconds."""

    clock: Clock = field(default_factory=Clock)
    epoch: str = "e"
    lasts: float = 1_800.0
    sessions: dict[str, Identity] = field(default_factory=dict)
    changes: list[Marks | None] = field(default_factory=list)
    asked: list[tuple[str, bool]] = field(default_factory=list)
    down: bool = False
    mute: bool = False
    """Nothing comes on the feed."""
    told: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def here(self) -> Position:
        return Position(self.epoch, len(self.changes))

    async def log_in(self, token: str, identity: Identity) -> None:
        self.sessions[token] = identity
        await self.change(None)

    async def log_out(self, token: str) -> None:
        gone = self.sessions.pop(token)
        await self.change(Marks(sessions=frozenset({gone.session})))

    async def log_out_all(self, scope: Scope) -> None:
        kept = {token: one for token, one in self.sessions.items() if not scope.covers(one)}
        self.sessions = kept
        await self.change(Marks(scopes=(scope,)))

    async def change(self, marks: Marks | None) -> None:
        self.changes.append(marks)
        async with self.told:
            self.told.notify_all()

    async def restart(self, epoch: str) -> None:
        self.epoch, self.changes = epoch, []
        async with self.told:
            self.told.notify_all()

    async def position(self, seconds: float) -> Position:
        self._answer()
        return self.here

    async def introspect(
        self, token: str, applied: Position | None, *, use: bool, seconds: float
    ) -> Answer:
        self.asked.append((token, use))
        self._answer()
        return Answer(self.here, self.sessions.get(token), self.lasts)

    async def feed(self, applied: Position | None) -> AsyncGenerator[Event, None]:
        self._answer()
        epoch = self.epoch
        told = applied.seq if applied and applied.epoch == epoch else -1
        if told < 0:
            yield Reset(self.here)
            told = len(self.changes)
        while epoch == self.epoch and not self.down:
            while told < len(self.changes) and not self.mute:
                marks, told = self.changes[told], told + 1
                at = Position(epoch, told)
                yield Progress(at) if marks is None else Forget(at, marks, True)
            async with self.told:
                await self.told.wait()
        raise CannotKnow("the feed ended")

    async def close(self) -> None:
        self.down = True

    def _answer(self) -> None:
        if self.down:
            raise CannotKnow("down")
