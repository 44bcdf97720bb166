"""Tallies: counts and histograms of plain numbers, cheap to add to, read when somebody asks."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

FINE = (
    *(0.000_001, 0.000_002, 0.000_003, 0.000_005, 0.000_007_5),
    *(0.000_010, 0.000_015, 0.000_020, 0.000_030, 0.000_050, 0.000_075),
    *(0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_5, 0.000_75),
)
COARSE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SECONDS = FINE + COARSE
"""From a microsecond up; whoever needs less resolution shows a part of these bounds."""

REQUESTS = (0.000_1, 0.000_5, *COARSE)
COMMITS = (0.000_1, 0.000_2, 0.000_5, *COARSE)
LONG = (*COARSE, 30.0, 60.0, 300.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0)
"""Up to the three days after which a notice is given up."""

SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0)


class Tally:
    """A histogram. Adding is one search among some thirty bounds, and two additions."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def upto(self, bounds: Sequence[float]) -> Iterator[tuple[float, int]]:
        """How many values were at most each of `bounds`, which are some of its own; then all."""
        sums = dict(zip((*self.bounds, float("inf")), accumulate(self.counts), strict=True))
        for bound in (*bounds, float("inf")):
            yield bound, sums[bound]


class RouteTally:
    """What was answered at one route: how often with which status, and how fast.

    Whoever answers often keeps the tally of its route at hand. The times of a `check` are shown
    in full resolution.
    """

    __slots__ = ("check", "statuses", "times")

    def __init__(self) -> None:
        self.check = False
        self.statuses: dict[int, int] = {}
        self.times = Tally()

    def answer(self, status: int, times: int) -> None:
        """Answered so often, and timed already, if at all."""
        self.statuses[status] = self.statuses.get(status, 0) + times

    def answered(self, status: int, seconds: float) -> None:
        times = self.times
        times.counts[bisect_left(times.bounds, seconds)] += 1
        times.total += seconds
        statuses = self.statuses
        statuses[status] = statuses.get(status, 0) + 1
