"""Readings of the feed: what one brings, and what is asked of whoever applies it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol

from lastcall.stores.postgres.connecting import Db

READ = """
SELECT h.epoch, h.seq, (SELECT coalesce(max(applied), 0) FROM followers),
    (SELECT batch FROM feed WHERE seq = $1), f.*
FROM feed_head AS h LEFT JOIN LATERAL (
    SELECT seq, batch, node, at, changes FROM (
        SELECT *, sum(octet_length(changes)) OVER (ORDER BY seq) - octet_length(changes) AS bytes
        FROM feed WHERE seq > $1 AND seq <= $1 + 500
    ) AS part WHERE bytes < 4000000 ORDER BY seq
) AS f ON true
"""
"""At most 500 rows, and no more once they have 4 MB: a reading has to end in time."""


def now() -> float:
    """Seconds of a clock nobody sets, and which counts while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A node, and this run of it. A guest writes, but holds no lease and is waited for by nobody;
    `lease` is in seconds."""

    node: str
    instance: str = ""
    lease: float = 2.0
    guest: bool = False

    @property
    def margin(self) -> float:
        """What clocks may differ in over a lease, in seconds."""
        return 0.05 + self.lease / 100


class Come(NamedTuple):
    """How far a node had come before a reading: the batch of its last change, and up to where it
    knows that all is durable."""

    seq: int
    tip: str | None
    vouched: int


class Head:
    """What one reading brought: where the feed is, up to where somebody vouches, new rows.

    `other` is that the database does not have what the node had come to before it read.
    """

    __slots__ = ("before", "epoch", "other", "rows", "seq", "vouched")

    def __init__(self, before: Come, rows: Sequence[Any]) -> None:
        self.before = before
        self.epoch: str = rows[0][0]
        self.seq: int = rows[0][1]
        self.vouched: int = rows[0][2]
        self.other: bool = self.seq < before.seq or rows[0][3] not in (None, before.tip)
        self.rows = [row[4:] for row in rows if row[4] is not None]


async def read(db: Db, before: Come, within: float) -> Head:
    return Head(before, [tuple(row) for row in await db.fetch(READ, before.seq, timeout=within)])


class Absorbed(Enum):
    """What came of a reading: nothing is left, more is to be read, a write of this node's own has
    to be resolved first, or the feed begins too late."""

    ALL = auto()
    MORE = auto()
    BLOCKED = auto()
    GAP = auto()


class Followed(Protocol):
    """The store, as following sees it: `position` is how far its index has come, `vouched` up to
    where that is durable beyond doubt."""

    position: int
    vouched: int

    @property
    def come(self) -> Come: ...

    def absorb(self, head: Head) -> Absorbed:
        """Apply what is new. Raises `RolledBack`."""
        ...

    async def reload(self, db: Db) -> None:
        """Read everything anew: the feed does not go back far enough."""
        ...

    def proven(self, seq: int) -> None:
        """Everything up to there is durable."""
        ...

    def moved(self) -> None:
        """Something has been vouched for, or is spread further."""
        ...

    def cut_off(self) -> None:
        """The database does not answer: whoever waits for it is to be told."""
        ...

    def took_over(self) -> None:
        """This node is now the one that does what only one has to do."""
        ...

    def give_up(self, error: BaseException) -> None: ...
