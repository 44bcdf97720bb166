"""A checker for histories of one session: was every answer one that a true register could give?

A session is a register that goes from live to ended once. Whoever asks sees it at some instant
between asking and hearing the answer, so three comparisons against extremes decide a whole
history, in time linear in its length.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

NEVER = float("inf")


class Answer(StrEnum):
    LIVE = "live"
    """A check accepted the token."""
    ENDED = "ended"
    """A check refused it."""
    DONE = "done"
    """A logout said that it succeeded."""
    REFUSED = "refused"
    """A logout said that it changed nothing, and certainly did not."""
    LOST = "lost"
    """A logout was never answered, or with an error: it may take effect at any later time."""


@dataclass(frozen=True, slots=True)
class Call:
    """`asked` and `heard` are on one clock, the same for all calls of a history."""

    asked: float
    heard: float
    answer: Answer


class Broken(StrEnum):
    ACCEPTED_AFTER_LOGOUT = "accepted after a logout had been answered"
    CAME_BACK = "accepted after a check had been told that it has ended"
    ENDED_BY_NOBODY = "refused before anybody had asked for a logout"


def broken(history: Iterable[Call], staleness: float = 0.0) -> list[tuple[Broken, Call]]:
    """The answers no true register gives; `staleness` is how long a cache may lag behind."""
    calls = list(history)
    first_end = min((call.asked for call in calls if _may_end(call)), default=NEVER)
    promised = min((call.heard for call in calls if call.answer is Answer.DONE), default=NEVER)
    seen_ended = min((call.heard for call in calls if call.answer is Answer.ENDED), default=NEVER)
    found: list[tuple[Broken, Call]] = []
    for call in calls:
        if call.answer is Answer.LIVE and call.asked > promised + staleness:
            found.append((Broken.ACCEPTED_AFTER_LOGOUT, call))
        if call.answer is Answer.LIVE and call.asked > seen_ended + staleness:
            found.append((Broken.CAME_BACK, call))
        if call.answer is Answer.ENDED and call.heard < first_end:
            found.append((Broken.ENDED_BY_NOBODY, call))
    return found


def _may_end(call: Call) -> bool:
    return call.answer in (Answer.DONE, Answer.LOST)


def explained(history: Sequence[Call]) -> bool:
    """The same verdict by exhausting every instant at which the session could have ended.

    Slow, and obviously right: it is what `broken` is compared with.
    """
    edges = sorted({edge for call in history for edge in (call.asked, call.heard)})
    between = [(low + high) / 2 for low, high in pairwise(edges)]
    instants = [edges[0] - 1, *edges, *between, NEVER] if edges else [NEVER]
    return any(_consistent(history, ended_at) for ended_at in instants)


def _consistent(history: Sequence[Call], ended_at: float) -> bool:
    """Whether all answers fit a session that ended at exactly this instant."""
    causes = [call for call in history if _may_end(call)]
    if ended_at < NEVER and not any(cause.asked <= ended_at for cause in causes):
        return False
    for call in history:
        if call.answer is Answer.DONE and call.heard < ended_at:
            return False
        if call.answer is Answer.LIVE and call.asked > ended_at:
            return False
        if call.answer is Answer.ENDED and call.heard < ended_at:
            return False
    return True
