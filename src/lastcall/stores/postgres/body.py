"""A body: a transaction on the index whose history is in the database."""

from collections.abc import Sequence
from typing import Protocol

from lastcall.domain.audit import Link, Record, link_of
from lastcall.domain.types import ReceiptId, TenantId
from lastcall.index import Index, IndexTransaction


class History(Protocol):
    """Audit records above a number; `own` are those of the body."""

    async def __call__(
        self,
        tenant: TenantId | None,
        after: int,
        limit: int,
        own: Sequence[Record],
        receipt: ReceiptId | None = None,
    ) -> Sequence[Record]: ...


class NoLog:
    """Nothing goes to a log of the index's own: turns write."""

    def append(self, ticket: int, changes: Sequence[object], report: object) -> bool:
        raise AssertionError(ticket)

    def records(
        self, tenant: TenantId | None, after: int, limit: int, receipt: ReceiptId | None = None
    ) -> Sequence[Record]:
        raise AssertionError(tenant)

    async def close(self) -> None:
        return None


class Body(IndexTransaction):
    """A transaction whose history is in the database; only reading that ever suspends."""

    def __init__(self, index: Index, tenant: TenantId, history: History) -> None:
        super().__init__(index, tenant, _no_history)
        self._asked = history

    async def records(self, after: int = 0, limit: int = 100) -> Sequence[Record]:
        return await self._asked(self.tenant, after, limit, self._recorded())

    async def record_of(self, receipt: ReceiptId) -> Record | None:
        found = await self._asked(self.tenant, 0, 1, self._recorded(), receipt)
        return found[0] if found else None

    async def links(self, after: int = 0, limit: int = 100) -> Sequence[Link]:
        found = await self._asked(None, after, limit, self._recorded())
        return [link_of(record, self.tenant) for record in found]


def _no_history(*_: object, **__: object) -> Sequence[Record]:
    return ()
