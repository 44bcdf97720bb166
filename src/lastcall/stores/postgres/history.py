"""Audit records read back from the database."""

from collections.abc import Sequence

from lastcall.domain.audit import Record
from lastcall.domain.types import ReceiptId, TenantId
from lastcall.stores.postgres.connecting import TROUBLE, Db, unavailable
from lastcall.stores.postgres.tables import TABLES

COLUMNS = ", ".join(f"a.{column}" for column in TABLES[Record].names)
RECORDS = f"""
SELECT {COLUMNS}, before.digest FROM audit AS a LEFT JOIN audit AS before ON before.seq = a.seq - 1
WHERE a.seq > $1 ORDER BY a.seq LIMIT $2
"""  # noqa: S608 - our own names
OF_TENANT = RECORDS.replace("WHERE", "WHERE a.tenant = $3 AND")
OF_RECEIPT = RECORDS.replace("WHERE", "WHERE a.tenant = $3 AND a.receipt = $4 AND")


async def records(
    db: Db, tenant: TenantId | None, after: int, limit: int, receipt: ReceiptId | None = None
) -> Sequence[Record]:
    """Of all tenants, of one, or of one those that name a receipt. Raises `StoreUnavailable`."""
    try:
        if tenant is None:
            found = await db.fetch(RECORDS, after, limit)
        elif receipt is None:
            found = await db.fetch(OF_TENANT, after, limit, tenant)
        else:
            found = await db.fetch(OF_RECEIPT, after, limit, tenant, receipt)
    except TROUBLE as error:
        raise unavailable(error, "reading the audit log") from error
    return [TABLES[Record].fact(row) for row in found]
