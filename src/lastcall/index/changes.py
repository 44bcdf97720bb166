"""What every part of a transaction does: change the index at once, and remember how to undo it."""

from collections.abc import Sequence

from lastcall.domain.session import End
from lastcall.domain.types import ReceiptId, TenantId
from lastcall.index.held import Held
from lastcall.index.tables import Changed, EndedTogether, Fact, Index


class Changes:
    def __init__(self, index: Index, tenant: TenantId) -> None:
        self.tenant = tenant
        self.changes: list[Changed | EndedTogether] = []
        self._index = index
        self._shelf = index.shelf(tenant)
        self._sliced: list[ReceiptId] = []

    def _change(self, before: Fact | None, after: Fact | None) -> None:
        self._index.place(self.tenant, before, after)
        self.changes.append(Changed(self.tenant, before, after))

    def _end_together(self, rows: Sequence[Held], end: End, *, alone: bool) -> None:
        if rows:
            ended = EndedTogether(self.tenant, end, rows, alone)
            self._index.end_together(ended)
            self.changes.append(ended)

    def undo(self) -> None:
        """Put everything back as it was."""
        for change in reversed(self.changes):
            if isinstance(change, EndedTogether):
                self._index.revive_together(change)
            else:
                self._index.place(change.tenant, change.after, change.before)
        for receipt in self._sliced:
            self._shelf.swept.pop(receipt, None)
        self.changes.clear()

    def _own(self, tenant: TenantId) -> None:
        if tenant != self.tenant:
            raise ValueError(f"a row of {tenant} in a transaction of {self.tenant}")
