"""What the store's work costs: commits, turns, how far behind others this node is."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from lastcall.metrics.families import histogram
from lastcall.metrics.tallies import COMMITS, SIZES, Tally


class StoreWork:
    """Implements `lastcall.ports.Observer`."""

    def __init__(self) -> None:
        self.sizes = Tally(SIZES)
        self.commits = Tally(COMMITS)
        self.syncs = Tally(COMMITS)
        self.turns = Tally(COMMITS)
        self.lags = Tally(COMMITS)
        self.spreads = Tally(COMMITS)

    def committed(self, transactions: int, seconds: float) -> None:
        self.sizes.note(transactions)
        self.commits.note(seconds)

    def synced(self, seconds: float) -> None:
        self.syncs.note(seconds)

    def waited_turn(self, seconds: float) -> None:
        self.turns.note(seconds)

    def lagged(self, seconds: float) -> None:
        self.lags.note(seconds)

    def spread(self, seconds: float) -> None:
        self.spreads.note(seconds)

    def families(self) -> Iterator[Metric]:
        for name, text, tally in (
            ("commit_transactions", "Transactions in one group commit.", self.sizes),
            ("commit_seconds", "Time of a group commit.", self.commits),
            ("commit_sync_seconds", "Part of it spent waiting for durability.", self.syncs),
            ("turn_wait_seconds", "Time waited until no other node was writing.", self.turns),
            ("feed_lag_seconds", "Age of other nodes' changes when applied here.", self.lags),
            (
                "nodes_applied_seconds",
                "Time from a commit to its being on all nodes.",
                self.spreads,
            ),
        ):
            yield histogram(name, text, (), [((), tally)])
