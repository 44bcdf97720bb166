"""What every part of a transaction does: change the index at once, and remember how to undo it."""

from lastcall.domain.types import ReceiptId, TenantId
from lastcall.index.tables import Changed, Fact, Index


class Changes:
    def __init__(self, index: Index, tenant: TenantId) -> None:
        self.tenant = tenant
        self.changes: list[Changed] = []
        self._index = index
        self._shelf = index.shelf(tenant)
        self._sliced: list[ReceiptId] = []

    def _change(self, before: Fact | None, after: Fact | None) -> None:
        self._index.place(self.tenant, before, after)
        self.changes.append(Changed(self.tenant, before, after))

    def undo(self) -> None:
        """Put everything back as it was."""
        for change in reversed(self.changes):
            self._index.place(change.tenant, change.after, change.before)
        for receipt in self._sliced:
            self._shelf.swept.pop(receipt, None)
        self.changes.clear()

    def _own(self, tenant: TenantId) -> None:
        if tenant != self.tenant:
            raise ValueError(f"a row of {tenant} in a transaction of {self.tenant}")
