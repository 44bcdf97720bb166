"""Reading the database into the index, in key order, and audit records back from it."""

from collections.abc import Sequence
from itertools import islice

from apsw import Connection

from lastcall.domain.audit import Record
from lastcall.domain.session import Session
from lastcall.domain.types import ReceiptId, Serial, TenantId
from lastcall.index import TELL_EVERY, Adoption, Index, Progress, undisturbed
from lastcall.rows import TABLES
from lastcall.stores.sqlite.agents import agents_in
from lastcall.stores.sqlite.tables import READ

TOGETHER = 200
"""Sessions read at a time: more of them leave the caches of the processor before they are held."""

HOW_MANY = "SELECT count(*) FROM sessions"
HEAD = "SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1"
COLUMNS = ", ".join(f"a.{name}" for name in TABLES[Record].names)
RECORDS = f"""
SELECT {COLUMNS}, before.digest FROM audit AS a LEFT JOIN audit AS before ON before.seq = a.seq - 1
WHERE a.seq > ? ORDER BY a.seq LIMIT ?
"""  # noqa: S608 - our own names
OF_TENANT = RECORDS.replace("WHERE", "WHERE a.tenant = ? AND")
OF_RECEIPT = RECORDS.replace("WHERE", "WHERE a.tenant = ? AND a.detail ->> 'receipt' = ? AND")


def load(db: Connection, progress: Progress | None = None) -> Index:
    index = Index()
    with undisturbed():
        for kind, sql in READ.items():
            if kind is Session:
                _sessions(db, index, progress)
                continue
            fact = TABLES[kind].fact
            for row in db.execute(sql):
                index.place(TenantId(row[0]), None, fact(row))
    for seq, digest in db.execute(HEAD):
        index.seq, index.digest = int(seq), bytes(digest)
    return index


def _sessions(db: Connection, index: Index, progress: Progress | None) -> None:
    adoption = Adoption(index, agents_in(db))
    total, done = db.execute(HOW_MANY).get if progress else 0, 0
    rows = db.execute(READ[Session])
    while some := list(islice(rows, TOGETHER)):
        adoption.add(some)
        done += len(some)
        if progress and (done % TELL_EVERY == 0 or done == total):
            progress(done, total)


def records(
    db: Connection,
    tenant: TenantId | None,
    after: int,
    limit: int,
    receipt: ReceiptId | None = None,
) -> Sequence[Record]:
    """Of all tenants, of one, or of one those that name a receipt."""
    if tenant is None:
        found = db.execute(RECORDS, (after, limit))
    elif receipt is None:
        found = db.execute(OF_TENANT, (tenant, after, limit))
    else:
        found = db.execute(OF_RECEIPT, (tenant, receipt, after, limit))
    return [TABLES[Record].fact(row) for row in found]


def highest_serial(index: Index) -> Serial:
    return max((shelf.serial for shelf in index.shelves.values()), default=Serial(0))
