"""Last uses: gathered while they happen, written a slice at a time, no oftener than is cheap."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from lastcall.index.held import Held

SOONEST, LATEST = 1.0, 60.0
"""Seconds for which uses are gathered: longer, the more sessions are in use."""

PER_SECOND = 100
"""Sessions for each of those seconds, so that writing takes no more than a hundredth of them."""

SLICE = 250
BREATH = 0.01  # seconds between two slices: nobody's check waits for all of them


class Uses:
    """`write` is given sessions that were used; those that have ended meanwhile are left out."""

    def __init__(self, write: Callable[[Sequence[Held]], None]) -> None:
        self._write = write
        self._gathered: dict[Held, None] = {}
        self._taken: dict[Held, None] = {}
        self._pause = SOONEST
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, held: Held) -> bool:
        return held in self._gathered or held in self._taken

    def among(self, rows: Iterable[Held]) -> list[Held]:
        gathered, taken = self._gathered, self._taken
        return [held for held in rows if held in gathered or held in taken]

    def __bool__(self) -> bool:
        return bool(self._gathered or self._taken)

    def add(self, held: Held) -> None:
        self._gathered[held] = None
        if self._timer is None:
            self._wait(self._pause)

    def write_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self:
            self._write_slice()
        self._timer = None

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._write_slice()
        if self._taken:
            self._wait(BREATH)
        elif self._gathered:
            self._wait(self._pause)

    def _write_slice(self) -> None:
        if not self._taken:
            self._taken, self._gathered = self._gathered, {}
            self._pause = min(max(len(self._taken) / PER_SECOND, SOONEST), LATEST)
        some = [self._taken.popitem()[0] for _ in range(min(SLICE, len(self._taken)))]
        rows = [held for held in some if not held.gone and held.ended is None]
        if rows:
            self._write(rows)
