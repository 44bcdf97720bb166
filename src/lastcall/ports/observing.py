"""What a store tells about its own work, for figures: events as they happen, its state when asked.

Whoever keeps the figures has a store `watch(observer)`, and asks for its `condition()`.
"""

from dataclasses import dataclass
from typing import Protocol


class Observer(Protocol):
    """Told of work as it is done, in seconds. Returns at once, and raises nothing.

    May be called from any thread, but each method of one observer from one thread only.
    """

    def committed(self, transactions: int, seconds: float) -> None:
        """One group commit is durable: how many transactions it carried, and its whole time."""
        ...

    def synced(self, seconds: float) -> None:
        """How long that commit waited for the disk, or for the database to say it is durable."""
        ...

    def waited_turn(self, seconds: float) -> None:
        """How long this node waited until no other one was writing."""
        ...

    def lagged(self, seconds: float) -> None:
        """How old a change of another node was, by the store's clock, when this one applied it."""
        ...

    def spread(self, seconds: float) -> None:
        """How long after its commit a change had been applied, or waited out, on every node."""
        ...


class Unobserved:
    """The observer of a store nobody watches."""

    def committed(self, transactions: int, seconds: float) -> None:
        return None

    def synced(self, seconds: float) -> None:
        return None

    def waited_turn(self, seconds: float) -> None:
        return None

    def lagged(self, seconds: float) -> None:
        return None

    def spread(self, seconds: float) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A store as it is now: what it is, what it holds in memory, and how it stands to others.

    `backend` is memory, sqlite or postgresql; `mode` is single, strict or leased, `node`
    what this one is called. `bytes` is an
    estimate. `loaded` and `loading` are how many sessions were read at the start, and in how many
    seconds. `lease` is how many seconds this node may still answer from memory without having
    caught up again; None on a node that is alone. `behind` is how many changes of other nodes are
    known to be missing here; `nodes` how many nodes hold a lease, this one included.
    """

    backend: str
    mode: str = "single"
    node: str = "this"
    sessions: int = 0
    tombstones: int = 0
    subjects: int = 0
    bytes: int = 0
    loaded: int = 0
    loading: float = 0.0
    lease: float | None = None
    behind: int = 0
    nodes: int = 1
