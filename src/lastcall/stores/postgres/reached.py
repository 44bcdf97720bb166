"""When which node had applied which logout, for receipts; as far back as is remembered."""

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from time import time_ns

from lastcall.domain import logout
from lastcall.domain.logout import Receipt
from lastcall.domain.types import Instant, ReceiptId, TenantId
from lastcall.index import Changed

REMEMBERED = 10_000
"""Logouts, and steps of each node."""

GONE = 64
"""Nodes without a lease: where each start of a node has a name of its own, there is no end of
them."""


def _machine() -> Instant:
    return Instant(time_ns() // 1_000_000)


class Reached:
    """`seq` is how far this node had come when it began to look."""

    def __init__(self, node: str, seq: int, clock: Callable[[], Instant] = _machine) -> None:
        self.clock = clock
        self._since = seq
        self._numbers: OrderedDict[tuple[TenantId, ReceiptId], int] = OrderedDict()
        self._steps: dict[str, deque[tuple[int, Instant]]] = {node: deque(maxlen=REMEMBERED)}
        self._lapsed: dict[str, Instant] = {}

    def began(self, seq: int, changes: Sequence[object]) -> None:
        """These changes have that number."""
        for change in changes:
            if isinstance(change, Changed) and change.before is None:
                after = change.after
                if isinstance(after, Receipt):
                    rule = after.revocation
                    self._numbers[rule.tenant, rule.id] = seq
                    if len(self._numbers) > REMEMBERED:
                        self._numbers.popitem(last=False)

    def note(self, node: str, seq: int) -> None:
        steps = self._steps.setdefault(node, deque(maxlen=REMEMBERED))
        if not steps or steps[-1][0] < seq:
            steps.append((seq, self.clock()))
        self._lapsed.pop(node, None)

    def lapse(self, node: str) -> None:
        """It holds no lease any longer."""
        self._lapsed.setdefault(node, self.clock())
        if len(self._lapsed) > GONE:
            longest = next(iter(self._lapsed))
            del self._lapsed[longest]
            self._steps.pop(longest, None)

    def of(self, tenant: TenantId, id: ReceiptId) -> tuple[logout.Reached, ...]:
        seq = self._numbers.get((tenant, id))
        return tuple(self._of(node, seq) for node in sorted(self._steps))

    def _of(self, node: str, seq: int | None) -> logout.Reached:
        steps, lapsed = self._steps[node], self._lapsed.get(node)
        if seq is None or seq <= self._since:
            return logout.Reached(node=node)
        if not steps or steps[-1][0] < seq:
            return logout.Reached(node=node, lapsed_at=lapsed, pending=lapsed is None)
        first = steps[bisect_left(steps, seq, key=lambda step: step[0])]
        return logout.Reached(node=node, applied_at=first[1])
