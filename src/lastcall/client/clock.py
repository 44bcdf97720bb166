"""The clock leases and deadlines run on: nobody can set it, and it counts a suspended machine."""

import time
from collections.abc import Callable
from functools import partial

Clock = Callable[[], float]
"""Seconds since some moment in the past; never goes back."""

since_boot: Clock = partial(
    time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
)
