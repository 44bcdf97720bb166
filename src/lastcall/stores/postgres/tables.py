"""What the tables are here, and where a node has each row in its index."""

from collections.abc import Callable
from dataclasses import replace

from lastcall import rows
from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Record
from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery
from lastcall.domain.logout import Receipt
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import TenantId
from lastcall.index import Fact, Index
from lastcall.index.shelf import Shelf
from lastcall.rows import Column, Row, Table, Values

TYPES = {"text": "text", "number": "bigint", "bytes": "bytea", "flag": "boolean"}


def _audit(table: Table) -> Table:
    """With the receipt that a record names in a column, to find it by."""

    def rest(one: Record) -> Values:
        return (*table.rest_of(one), one.event.detail.get("receipt"))

    return replace(table, rest=(*table.rest, Column("receipt", "text")), rest_of=rest)


TABLES = {**rows.TABLES, Record: _audit(rows.TABLES[Record])}
BY_NAME: dict[str, tuple[type, Table]] = {
    table.name: (kind, table) for kind, table in TABLES.items()
}

Find = Callable[[Shelf, Row], Fact | None]

PLACES: dict[type, Find] = {
    int: lambda shelf, _: shelf.serial,
    Subject: lambda shelf, row: shelf.subjects.get(row[1]),
    Session: lambda shelf, row: _session(shelf, row),
    Receipt: lambda shelf, row: shelf.receipts.get(row[2]),
    Strikes: lambda shelf, row: shelf.strikes.get(row[1]),
    Code: lambda shelf, row: shelf.codes.get((row[1], row[2])),
    Client: lambda shelf, row: shelf.outbox.clients.get(row[1]),
    AccountName: lambda shelf, row: _account(shelf, row),
    Delivery: lambda shelf, row: shelf.outbox.deliveries.get(row[2]),
    Attempt: lambda shelf, row: _attempt(shelf, row),
    Preview: lambda shelf, row: shelf.intentions.previews.get(row[1]),
    Plan: lambda shelf, row: shelf.intentions.plans.get(row[1]),
    Remembered: lambda shelf, row: shelf.intentions.remembered.get(row[1]),
}


def present(index: Index, kind: type, row: Row) -> Fact | None:
    """What the index has in the place of a row, of which the key is enough."""
    return PLACES[kind](index.shelf(TenantId(row[0])), row)


def _session(shelf: Shelf, row: Row) -> Session | None:
    held = shelf.sessions.get(row[2])
    return None if held is None else held.session


def _account(shelf: Shelf, row: Row) -> AccountName | None:
    account = shelf.outbox.accounts.get(row[1], {}).get(row[2])
    if account is None:
        return None
    return AccountName(client=row[1], subject=row[2], account=account)


def _attempt(shelf: Shelf, row: Row) -> Attempt | None:
    tried = shelf.outbox.attempts.get(row[1], ())
    return next((one for one in tried if one.number == row[2]), None)
