"""Turns of the event loop: calls that take long begin a few at a time, and checks go between."""

import asyncio
from collections import deque
from collections.abc import Callable

IN_ONE_ROUND = 2
"""Calls that begin in one round of the loop. A logout has the loop for about 0.2 milliseconds."""


class Turns:
    """Which calls may begin in this round of the loop; the others stand in line for the next.

    Before each round the loop reads what has come meanwhile, and answers checks right then. So a
    check waits for a logout or two, where it would have to wait for all sixty that arrive together
    when a slow disk has at last answered sixty others. The line is as long as there are connections
    at most: each has one call under way.
    """

    def __init__(self, most: int = IN_ONE_ROUND) -> None:
        self._most = most
        self._begun = 0
        self._line: deque[Callable[[], None]] = deque()
        self._counting = False

    def now(self) -> bool:
        """Whether a call may begin at once; it is counted then."""
        if self._line or self._begun >= self._most:
            return False
        self._count()
        return True

    def later(self, begin: Callable[[], None]) -> None:
        """Have it begun when its turn comes: first come, first served."""
        self._line.append(begin)

    def _count(self) -> None:
        self._begun += 1
        if not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        self._counting, self._begun = False, 0
        while self._line and self._begun < self._most:
            begin = self._line.popleft()
            self._count()
            begin()
