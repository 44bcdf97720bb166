"""The feed of a store on the index: a bounded memory of what became doubtful, and who waits."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile

from lastcall.ports.feed import Entry, Mark, Position

REMEMBERED, MARKS = 100_000, 1_000_000
"""Entries, and the marks in all of them; who was away for longer forgets everything and begins
anew."""


class IndexFeed:
    """Implements `lastcall.ports.Feed`. Whoever makes changes durable publishes them, in order.

    `confirm` returns once this node has come as far as anybody's acknowledgements; it raises
    `StoreUnavailable` when it cannot know.
    """

    def __init__(
        self,
        epoch: str,
        seq: int,
        confirm: Callable[[], Awaitable[None]],
        keep: int = REMEMBERED,
        marks: int = MARKS,
    ) -> None:
        self._epoch = epoch
        self._seq = seq
        self._floor = seq
        self._entries: deque[Entry] = deque()
        self._keep = keep
        self._most_marks = marks
        self._marks = 0
        self._confirm = confirm
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def position(self) -> Position:
        return Position(self._epoch, self._seq)

    async def current(self) -> Position:
        await self._confirm()
        return self.position

    def publish(self, seq: int, marks: Sequence[Mark]) -> None:
        """Go on to `seq`, which is above every number before."""
        self._seq = seq
        if marks:
            self._entries.append(Entry(seq, tuple(marks)))
            self._marks += len(marks)
            while len(self._entries) > self._keep or self._marks > self._most_marks:
                oldest = self._entries.popleft()
                self._floor = oldest.seq
                self._marks -= len(oldest.marks)
        self._wake()

    def restart(self, epoch: str, seq: int) -> None:
        """Begin another epoch: everybody forgets what they remember."""
        self._epoch, self._seq, self._floor = epoch, seq, seq
        self._entries.clear()
        self._marks = 0
        self._wake()

    def after(self, position: Position) -> Sequence[Entry] | None:
        known = position.epoch == self._epoch and self._floor <= position.seq <= self._seq
        if not known:
            return None
        later = takewhile(lambda entry: entry.seq > position.seq, reversed(self._entries))
        return list(later)[::-1]

    async def beyond(self, position: Position) -> None:
        while position == self.position:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:  # whoever gave up waiting
                    self._waiters.remove(waiter)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
