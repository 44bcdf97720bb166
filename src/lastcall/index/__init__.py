"""The index: every row in memory, where all decisions are taken; a log makes them durable."""

from lastcall.index.adopting import TELL_EVERY, Adoption, Progress, undisturbed
from lastcall.index.condition import Loading
from lastcall.index.feed import IndexFeed
from lastcall.index.store import IndexStore, Log, Report
from lastcall.index.tables import Change, Changed, EndedTogether, Fact, Index, Touched, at_of
from lastcall.index.transaction import IndexTransaction

__all__ = [
    "TELL_EVERY",
    "Adoption",
    "Change",
    "Changed",
    "EndedTogether",
    "Fact",
    "Index",
    "IndexFeed",
    "IndexStore",
    "IndexTransaction",
    "Loading",
    "Log",
    "Progress",
    "Report",
    "Touched",
    "at_of",
    "undisturbed",
]
