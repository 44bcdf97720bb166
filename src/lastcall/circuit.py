"""How much is told at once, and when an application that keeps failing is left alone."""

from dataclasses import dataclass

from lastcall.domain.delivery import Outcome
from lastcall.domain.settling import PATIENCE
from lastcall.domain.types import SECOND, Duration, Instant, later


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much at once, and how long to leave an application alone that keeps failing.

    `claim` is what a claim lasts beyond the client's own timeout; after that another worker may
    think this one dead. `patience` is how long a notice is tried before it is given up. `rest` is
    the longest nap when nothing says that there is work. `in_round` are begun at once at most:
    nothing else is decided meanwhile, and what goes along together is in memory together.
    """

    in_flight: int = 1_024
    in_round: int = 128
    claim: Duration = Duration(30 * SECOND)
    patience: Duration = PATIENCE
    rest: Duration = SECOND
    break_after: int = 5
    breaks: tuple[Duration, ...] = (
        Duration(5 * SECOND),
        Duration(30 * SECOND),
        Duration(120 * SECOND),
        Duration(600 * SECOND),
    )


@dataclass(slots=True)
class Circuit:
    """What recent tries at one client say: after some failures in a row it is left alone."""

    failures: int = 0
    breaks: int = 0
    until: Instant = Instant(0)

    def note(self, outcome: Outcome, now: Instant, pace: Pace) -> None:
        if outcome in (Outcome.DONE, Outcome.REFUSED):
            self.failures = self.breaks = 0
            return
        self.failures += 1
        if self.failures >= pace.break_after:
            self.until = later(now, pace.breaks[min(self.breaks, len(pace.breaks) - 1)])
            self.breaks += 1
            self.failures = pace.break_after - 1

    def slots(self, concurrency: int, now: Instant) -> int:
        """How many tries may run at once; one, to see, when a break is just over."""
        if now < self.until:
            return 0
        return 1 if self.breaks else max(1, concurrency)
