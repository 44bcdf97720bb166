"""What is to be tried when: one line for each client, and the clients in turns.

Heaps keep entries that no longer hold until they come to the top; each change costs one push.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Id = int | str | tuple[int | str, ...]

K = TypeVar("K", bound=Id)
L = TypeVar("L", bound=Id)

SLACK = 64
"""Entries that do not hold any more which a heap may keep whatever its size."""


class Line(Generic[K]):
    """Things by the time they are due; whoever asks first gets what has been due longest.

    What has been due equally long comes in its own order, which is that of the rows in a store:
    all that one mass logout owes is told along them, and not here and there.
    """

    __slots__ = ("_entries", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, K]] = []
        self._entries: dict[K, tuple[int, K]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, thing: K, at: int | None) -> None:
        """Due at `at` from now on, whatever it was; None takes it out."""
        if at is None:
            self._entries.pop(thing, None)
        else:
            entry = self._entries[thing] = (at, thing)
            heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._entries) + SLACK:
            self._heap = [entry for entry in self._heap if self._holds(entry)]
            heapify(self._heap)

    def _holds(self, entry: tuple[int, K]) -> bool:
        return self._entries.get(entry[1]) is entry

    def at(self, thing: K) -> int | None:
        """When it is due; None for what is not in line."""
        entry = self._entries.get(thing)
        return None if entry is None else entry[0]

    def first(self, skip: Callable[[K], bool] | None = None) -> int | None:
        """When the first thing that is not to be skipped is due."""
        passed = []
        found = None
        while self._heap and found is None:
            entry = self._heap[0]
            if self._holds(entry) and (skip is None or not skip(entry[1])):
                found = entry[0]
                break
            heappop(self._heap)
            if self._holds(entry):
                passed.append(entry)
        for entry in passed:
            heappush(self._heap, entry)
        return found

    def due(self, now: int, limit: int) -> list[K]:
        """Up to `limit` things that are due at `now`; they stay."""
        taken: list[tuple[int, K]] = []
        while self._heap and len(taken) < limit and self._heap[0][0] <= now:
            entry = heappop(self._heap)
            if self._holds(entry):
                taken.append(entry)
        for entry in taken:
            heappush(self._heap, entry)
        return [thing for _, thing in taken]


class Queue(Generic[L, K]):
    """Lines that wait for their first thing, and a ring of those that had something due."""

    def __init__(self) -> None:
        self._lines: dict[L, Line[K]] = {}
        self._waiting: Line[L] = Line()
        self._ring: dict[L, None] = {}

    def put(self, line: L, thing: K, at: int | None) -> None:
        """The thing in that line is due at `at`; None takes it out."""
        found = self._lines.get(line)
        if found is None:
            if at is None:
                return
            found = self._lines[line] = Line()
        found.put(thing, at)
        if line in self._ring:
            return
        first = found.first()
        if first is None:
            self._drop(line)
        elif first != self._waiting.at(line):
            self._waiting.put(line, first)

    def _drop(self, line: L) -> None:
        del self._lines[line]
        self._waiting.put(line, None)

    def due(
        self, now: int, *, most_of_one: int, limit: int, skip: Callable[[L], bool], skipped: int
    ) -> list[tuple[L, K]]:
        """Up to `limit` things due at `now`, as evenly over the lines as one look allows.

        Who was served goes to the end of the ring, so that the next look begins with others.
        `skipped` is how many lines `skip` passes over at most.
        """
        for line in self._waiting.due(now, len(self._waiting)):
            self._waiting.put(line, None)
            self._ring[line] = None
        share = max(1, min(most_of_one, limit // max(1, len(self._ring) - skipped)))
        found: list[tuple[L, K]] = []
        looked_at: dict[L, bool] = {}
        for line in self._ring:
            if len(found) >= limit:
                break
            if not skip(line):
                things = self._lines[line].due(now, min(share, limit - len(found)))
                found += ((line, thing) for thing in things)
                looked_at[line] = bool(things)
        for line, served in looked_at.items():
            del self._ring[line]
            if served:
                self._ring[line] = None
            elif len(self._lines[line]):
                self._waiting.put(line, self._lines[line].first())
            else:
                self._drop(line)
        return found

    def next_due(self, skip: Callable[[L], bool]) -> int | None:
        firsts = [self._lines[line].first() for line in self._ring if not skip(line)]
        firsts.append(self._waiting.first(skip))
        return min((at for at in firsts if at is not None), default=None)
