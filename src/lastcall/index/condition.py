"""How much an index holds, and what it took to fill it."""

from dataclasses import dataclass

from lastcall.index.tables import Index
from lastcall.ports.observing import Condition

SESSION_BYTES = 420
SUBJECT_BYTES = 750
"""What one of them takes in memory, with the ways to find it; the benchmarks measure it."""


@dataclass(frozen=True, slots=True)
class Loading:
    """How many sessions were read from the record at the start, and in how many seconds."""

    sessions: int = 0
    seconds: float = 0.0


def condition(index: Index, backend: str, loading: Loading) -> Condition:
    """Of a store that is alone on its record."""
    live = index.live_sessions()
    held = sum(len(shelf.sessions) for shelf in index.shelves.values())
    subjects = sum(len(shelf.subjects) for shelf in index.shelves.values())
    return Condition(
        backend=backend,
        sessions=live,
        tombstones=held - live,
        subjects=subjects,
        loaded=loading.sessions,
        loading=loading.seconds,
        bytes=held * SESSION_BYTES + subjects * SUBJECT_BYTES,
    )
