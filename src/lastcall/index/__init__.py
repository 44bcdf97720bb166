"""The index: every row in memory, where all decisions are taken; a log makes them durable."""

from lastcall.index.condition import Loading
from lastcall.index.feed import IndexFeed
from lastcall.index.store import MUST_WAIT, IndexStore, Log, MustWait, Report
from lastcall.index.tables import Changed, Fact, Index, Touched, at_of
from lastcall.index.transaction import IndexTransaction

__all__ = [
    "MUST_WAIT",
    "Changed",
    "Fact",
    "Index",
    "IndexFeed",
    "IndexStore",
    "IndexTransaction",
    "Loading",
    "Log",
    "MustWait",
    "Report",
    "Touched",
    "at_of",
]
