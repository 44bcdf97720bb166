"""A wheel: things to look at again later, in coarse buckets of time, with no promise kept by it."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

BUCKET = 8_192
"""Milliseconds: coarse enough that a million things make few buckets."""


LOOKS = 2_000
"""Things looked at in one go, at least."""


class Wheel(Generic[T]):
    """Entries are never removed when things change: whoever takes one asks when it is due now."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[int, list[T]] = {}

    def add(self, thing: T, at: int) -> None:
        bucket = self._buckets.get(at // BUCKET)
        if bucket is None:
            self._buckets[at // BUCKET] = [thing]
        else:
            bucket.append(thing)

    def add_all(self, things: Iterable[T], at: int) -> None:
        self._buckets.setdefault(at // BUCKET, []).extend(things)

    def add_each(self, things: Iterable[tuple[T, int]]) -> None:
        """The same for many: those that come one after another often share a bucket."""
        number: int | None = None
        bucket: list[T] = []
        for thing, at in things:
            if at // BUCKET != number:
                number = at // BUCKET
                bucket = self._buckets.setdefault(number, [])
            bucket.append(thing)

    def take(self, now: int, limit: int, due: Callable[[T], int | None]) -> list[T]:
        """Take out up to `limit` things that are due at `now`.

        `due` says from when on a thing is, None when it never will be: that one is forgotten, and
        one that is due later moves to its new place. What was added twice is taken once. Only so
        many are looked at, for a million would stop everybody; the next call goes on.
        """
        taken: dict[T, None] = {}
        looks = max(limit, LOOKS)
        for bucket in sorted(one for one in self._buckets if one <= now // BUCKET):
            things = self._buckets.pop(bucket)
            while things and looks and len(taken) < limit:
                looks -= 1
                thing = things.pop()
                at = due(thing)
                if at is None:
                    continue
                if at <= now:
                    taken[thing] = None
                else:
                    self.add(thing, at)
            if things:
                self._buckets.setdefault(bucket, []).extend(things)
                break
        return list(taken)
