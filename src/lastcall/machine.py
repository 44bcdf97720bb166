"""The machine's own: its clock, its source of chance, its memory."""

import ctypes
import gc
import os
import time
from collections.abc import Callable
from functools import partial

from lastcall.domain.types import Instant

NANOSECONDS = 1_000_000  # in a millisecond

SLEW = 5_000
"""A clock is put right by a five-thousandth of the time that has passed, at most: more than any
crystal is wrong by, and too little for anybody's deadline."""

LONGEST_ID = 15
PAGE = 4_096  # bytes


_since_boot = partial(time.clock_gettime_ns, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Nanoseconds that passed, suspended or not; no one can set this clock."""


class SystemClock:
    """Reads the time of day once and counts on from there; see docs/adr/0020.

    `floor` is the latest instant the store has on record: after a restart `now()` begins no
    earlier, whatever the machine says the time is. `day` and `elapsed` are in nanoseconds.
    """

    def __init__(
        self,
        floor: Instant = Instant(0),
        *,
        day: Callable[[], int] = time.time_ns,
        elapsed: Callable[[], int] = _since_boot,
    ) -> None:
        self._day = day
        self._elapsed = elapsed
        self._steered = elapsed()
        self._anchor = max(day(), floor * NANOSECONDS) - self._steered

    def now(self) -> Instant:
        now: Instant = (self._anchor + self._elapsed()) // NANOSECONDS  # type: ignore[assignment]  # a call less
        return now

    def steer(self, day: int) -> None:
        """Come nearer to that time, in nanoseconds. `now()` does not go back by it: what is taken
        away never reaches into the millisecond before."""
        elapsed = self._elapsed()
        most, self._steered = (elapsed - self._steered) // SLEW, elapsed
        now = self._anchor + elapsed
        step = max(-most, min(most, day - now))
        self._anchor += max(step, -(now % NANOSECONDS))

    def wall(self) -> Instant:
        return Instant(self._day() // NANOSECONDS)


class SystemEntropy:
    """Tokens are made of chance that is fetched for them alone; ids, of a page fetched ahead.

    Fetching lets other threads run first, which can take as long as all the rest of a logout.
    """

    def __init__(self) -> None:
        self._fetched = b""
        self._at = 0

    def bytes(self, size: int) -> bytes:
        if size > LONGEST_ID:
            return os.urandom(size)
        if self._at + size > len(self._fetched):
            self._fetched, self._at = os.urandom(PAGE), 0
        start, self._at = self._at, self._at + size
        return self._fetched[start : self._at]


def age() -> float | None:
    """Seconds since this process began; None where the system does not tell."""
    try:
        with open("/proc/self/stat", encoding="latin-1") as stat:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
    except OSError:
        return None
    return _since_boot() / 1e9 - ticks / os.sysconf("SC_CLK_TCK")


def _give_back() -> None:
    """Hand what was needed for a while back to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def look_through_new() -> None:
    """Have the garbage collector go through what is new while it is little.

    It counts what is made less what is gone. Work that replaces what was loaded makes no sum of
    it, and a round that began by chance would go through hundreds of thousands of things at once.
    """
    gc.collect(0)


def settle_memory() -> None:
    """Leave what has been loaded out of the garbage collector's rounds, and make them rarer.

    By default it goes through every row of the store again and again, and nothing is answered
    meanwhile; hardly anything here is garbage that reference counts do not find.
    """
    gc.collect()
    _give_back()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
