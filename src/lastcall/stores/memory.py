"""The memory store: the reference every other store is compared with; it forgets on exit."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

from lastcall.domain.audit import Record
from lastcall.domain.types import ReceiptId, TenantId
from lastcall.index import Change, Changed, Index, IndexStore, Log, Report


class AtOnce:
    """A log for which everything is durable at once; it keeps the audit records alone."""

    def __init__(self) -> None:
        self._records: list[Record] = []

    def append(self, ticket: int, changes: Sequence[Change], report: Report) -> bool:
        for change in changes:
            if isinstance(change, Changed) and isinstance(change.after, Record):
                self._records.append(change.after)
        return True

    def records(
        self, tenant: TenantId | None, after: int, limit: int, receipt: ReceiptId | None = None
    ) -> Sequence[Record]:
        start = bisect_right(self._records, after, key=lambda record: record.seq)
        later = (self._records[place] for place in range(start, len(self._records)))
        wanted = (
            one
            for one in later
            if tenant in (None, one.event.tenant)
            and receipt in (None, one.event.detail.get("receipt"))
        )
        return list(islice(wanted, limit))

    async def close(self) -> None:
        return None


class MemoryStore(IndexStore):
    def __init__(self, log: Log | None = None) -> None:
        super().__init__(Index(), log or AtOnce())
