"""Reading the database into the index, in key order, and audit records back from it."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from apsw import Connection

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import GENESIS, Action, Event, Outcome, Record
from lastcall.domain.logout import Receipt, Revocation, Scope
from lastcall.domain.origin import Origin
from lastcall.domain.subject import Subject
from lastcall.domain.types import EndReason, Instant, ReceiptId, Serial, TenantId
from lastcall.index import Adoption, Fact, Index
from lastcall.stores.sqlite import outbox
from lastcall.stores.sqlite.agents import agents_in
from lastcall.stores.sqlite.rows import KINDS

SERIALS = "SELECT tenant, serial FROM tenants ORDER BY tenant"
SUBJECTS = "SELECT * FROM subjects ORDER BY tenant, id"
SESSIONS = """
SELECT tenant, agent, dialect, kind, idle, serial, id, subject, token_hash, address, port, factors,
    created, last_seen, expires, ended_at, ended_why, ended_by, token_expires, refresh_hash, spent,
    participants, impersonator
FROM sessions ORDER BY tenant, serial
"""
HOW_MANY = "SELECT count(*) FROM sessions"
REVOCATIONS = "SELECT * FROM revocations ORDER BY tenant, serial"
STRIKES = "SELECT * FROM strikes ORDER BY tenant, key"
CODES = "SELECT * FROM codes ORDER BY tenant, subject, purpose"
HEAD = "SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1"
RECORDS = """
SELECT a.*, before.digest FROM audit AS a LEFT JOIN audit AS before ON before.seq = a.seq - 1
WHERE a.seq > ? ORDER BY a.seq LIMIT ?
"""
OF_TENANT = RECORDS.replace("WHERE", "WHERE a.tenant = ? AND")
OF_RECEIPT = RECORDS.replace("WHERE", "WHERE a.tenant = ? AND a.detail ->> 'receipt' = ? AND")


Progress = Callable[[int, int], None]
"""Told how many sessions have been read, of how many."""

TELL_EVERY = 50_000


NOBODYS: Mapping[str, object] = {}
"""The profile of everybody who has none: what is equal is kept once."""


def load(db: Connection, progress: Progress | None = None) -> Index:
    index = Index()
    with _undisturbed():
        for tenant, fact in _people(db):
            index.place(tenant, None, fact)
        _sessions(db, index, progress)
        for tenant, fact in _facts(db):
            index.place(tenant, None, fact)
    for seq, digest in db.execute(HEAD):
        index.seq, index.digest = int(seq), bytes(digest)
    return index


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the garbage collector, which would go through all that is read again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _sessions(db: Connection, index: Index, progress: Progress | None) -> None:
    adoption = Adoption(index, agents_in(db))
    total = db.execute(HOW_MANY).get if progress else 0
    for done, row in enumerate(db.execute(SESSIONS), 1):
        adoption.add(row)
        if progress and (done % TELL_EVERY == 0 or done == total):
            progress(done, total)


def _people(db: Connection) -> Iterator[tuple[TenantId, Fact]]:
    for tenant, serial in db.execute(SERIALS):
        yield TenantId(tenant), serial
    for row in db.execute(SUBJECTS):
        yield row[0], _subject(row)


def _facts(db: Connection) -> Iterator[tuple[TenantId, Fact]]:
    for row in db.execute(REVOCATIONS):
        yield row[0], _receipt(row)
    for tenant, *rest in db.execute(STRIKES):
        yield tenant, _strikes(rest)
    for tenant, *rest in db.execute(CODES):
        yield tenant, _code(rest)
    yield from outbox.facts(db)


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
    return [_record(row) for row in found]


def _subject(row: Sequence[Any]) -> Subject:
    return Subject(
        tenant=row[0],
        id=row[1],
        username=row[2],
        password_hash=row[3],
        role=row[4],
        version=row[5],
        created=row[6],
        changed=row[6] if row[7] == row[6] else row[7],
        email=row[8],
        name=row[9],
        first_name=row[10],
        last_name=row[11],
        groups=msgspec.json.decode(row[12], type=tuple[str, ...]),
        profile=NOBODYS
        if row[13] == "{}"
        else msgspec.json.decode(row[13], type=dict[str, object]),
        totp_secret=row[14],
        totp_step=row[15],
        email_codes=bool(row[16]),
        backup_codes=msgspec.json.decode(row[17], type=tuple[str, ...]),
        enabled=bool(row[18]),
    )


def _receipt(row: Sequence[Any]) -> Receipt:
    revocation = Revocation(
        tenant=row[0],
        serial=row[1],
        id=row[2],
        scope=_scope(row[3]),
        at=row[4],
        why=EndReason(row[5]),
        by=row[6],
        by_name=row[7],
        reason=row[8],
        via=row[9],
    )
    return Receipt(revocation=revocation, sessions_ended=row[10], complete=bool(row[11]))


def _scope(text: str) -> Scope:
    ((name, fields),) = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()
    return msgspec.json.decode(fields, type=KINDS[name])


def _strikes(row: Sequence[Any]) -> Strikes:
    return Strikes(key=row[0], count=row[1], since=row[2], locked_until=row[3])


def _code(row: Sequence[Any]) -> Code:
    return Code(subject=row[0], purpose=row[1], mac=row[2], expires=row[3], tries_left=row[4])


def _record(row: Sequence[Any]) -> Record:
    origin = Origin(
        dialect=row[10],
        address=row[11],
        port=row[12],
        host=row[13],
        user_agent=row[14],
        request_id=row[15],
    )
    event = Event(
        tenant=row[1],
        at=Instant(row[2]),
        action=Action(row[3]),
        outcome=Outcome(row[4]),
        actor=row[5],
        actor_name=row[6],
        target=row[7],
        code=row[8],
        detail=msgspec.json.decode(row[9], type=dict[str, str]),
        origin=origin,
    )
    previous = GENESIS if row[17] is None else row[17]
    return Record(seq=row[0], event=event, previous=previous, digest=row[16])


def highest_serial(index: Index) -> Serial:
    return max((shelf.serial for shelf in index.shelves.values()), default=Serial(0))
