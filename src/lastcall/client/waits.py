"""How long to wait before the next attempt to reach an authority that could not be reached."""

import random

SHORTEST, LONGEST = 0.05, 2.0
"""Seconds."""


class Waits:
    """Doubling, with chance in it, so that a crowd does not come back at one moment."""

    def __init__(self) -> None:
        self._longest = SHORTEST

    def next(self) -> float:
        wait = random.uniform(SHORTEST / 2, self._longest)  # noqa: S311
        self._longest = min(2 * self._longest, LONGEST)
        return wait

    def reset(self) -> None:
        self._longest = SHORTEST
