"""What another node has written, repeated on this node's index."""

from dataclasses import replace

from lastcall.domain.types import Instant, SessionId, TenantId
from lastcall.index import Changed, EndedTogether, Index
from lastcall.index.held import Held
from lastcall.rows import end_of
from lastcall.stores.postgres.batch import HEAD, TOGETHER, Operation, operations
from lastcall.stores.postgres.statement import END, TOUCH
from lastcall.stores.postgres.tables import BY_NAME, present


class OutOfStep(Exception):
    """The index does not have what the record is based on: only loading it anew helps."""


def apply(index: Index, changes: bytes) -> list[Changed]:
    """What checks may depend on comes back. Raises `OutOfStep`: the index is of no use then."""
    return [made for one in operations(changes) if (made := _apply(index, one)) is not None]


def _apply(index: Index, operation: Operation) -> Changed | None:
    name, *row = operation
    tenant = TenantId(row[0])
    if name == HEAD:
        if row[1] != index.seq + 1:
            raise OutOfStep(f"audit record {row[1]} follows {index.seq}")
        index.seq, index.digest = row[1], row[2]
    elif name == TOUCH:
        _touch(index, tenant, row[2], row[3])
    elif name == TOGETHER:
        rows = [_held(index, tenant, one) for one in row[4]]
        index.end_together(EndedTogether(tenant, end_of(*row[1:4]), rows))
    elif name == END:
        before = _held(index, tenant, row[2]).session
        after = replace(before, last_seen=row[6], ended=end_of(*row[3:6]))
        return _placed(index, Changed(tenant, before, after))
    else:
        kind, table = BY_NAME[name.removesuffix("-")]
        was = present(index, kind, row)
        if not name.endswith("-"):
            return _placed(index, Changed(tenant, was, table.fact(row)))
        if was is None:
            raise OutOfStep(f"a row of {table.name} is not there")
        return _placed(index, Changed(tenant, was, None))
    return None


def _placed(index: Index, change: Changed) -> Changed:
    index.place(change.tenant, change.before, change.after)
    return change


def _held(index: Index, tenant: TenantId, id: SessionId) -> Held:
    held = index.shelf(tenant).sessions.get(id)
    if held is None or held.ended is not None:
        raise OutOfStep("a session that ended is not there, or had ended")
    return held


def _touch(index: Index, tenant: TenantId, id: SessionId, at: Instant) -> None:
    held = index.shelf(tenant).sessions.get(id)
    if held is not None and held.ended is None and at > held.last_seen:
        held.seen(at)
