"""The index: every row in memory, where all decisions are taken; a log makes them durable."""

from lastcall.index.store import MUST_WAIT, IndexStore, Log, MustWait, Report
from lastcall.index.tables import Changed, Fact, Index, Touched

__all__ = [
    "MUST_WAIT",
    "Changed",
    "Fact",
    "Index",
    "IndexStore",
    "Log",
    "MustWait",
    "Report",
    "Touched",
]
