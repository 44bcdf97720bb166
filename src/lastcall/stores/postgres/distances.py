"""How far nodes are from one another, told to whoever watches: in both directions, in seconds."""

import time
from collections import deque

from lastcall.domain.types import Duration
from lastcall.ports import Observer, Unobserved
from lastcall.stores.postgres.reading import now

MOST = 1_000
"""Changes of this node that others have still to apply; more are not timed."""


class Distances:
    def __init__(self) -> None:
        self._observer: Observer = Unobserved()
        self._day = 0.0
        self._own: deque[tuple[int, float]] = deque(maxlen=MOST)

    def watch(self, observer: Observer, offset: Duration) -> None:
        """`offset` is what to add to this machine's time of day for the database's."""
        self._observer = observer
        self._day = time.time() - now() + offset / 1_000

    def arrived(self, at: int) -> None:
        """A change of another node, written at that instant of the database, is applied here."""
        if self._day:
            self._observer.lagged(max(0.0, self._day + now() - at / 1_000))

    def left(self, seq: int) -> None:
        """This node has committed a change that the others have to apply."""
        self._own.append((seq, now()))

    def reached(self, spread: int) -> None:
        """Every node that may answer has come so far."""
        while self._own and self._own[0][0] <= spread:
            self._observer.spread(now() - self._own.popleft()[1])
