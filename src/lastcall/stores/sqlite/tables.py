"""The statements that are alike for every table: adding, putting, removing and reading rows.

Only names of tables and columns are put into the text, and those are ours; values are parameters.
"""

from collections.abc import Sequence

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Record
from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery
from lastcall.domain.logout import Receipt
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.rows import OWN, TABLES, Table, Values

Statement = tuple[str, Values]

COLUMNS = (*OWN, "agent")
"""Of sessions, whose agents are in a table of their own."""

ADDED: tuple[type, ...] = (Receipt, Delivery, Attempt, Record)
"""Never there before: what changes of them later has a statement of its own."""

PUT: tuple[type, ...] = (Subject, Strikes, Code, Client, AccountName, Preview, Plan, Remembered)
"""New or changed, always written as a whole."""

ONLY = {Session: " AND ended_at IS NOT NULL", Receipt: " AND complete"}
"""What a row must be for it to be removed."""


def _add(name: str, columns: Sequence[str]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608


def _put(table: Table) -> str:
    changed = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.rest)
    return f"{_add(table.name, table.names)} ON CONFLICT DO UPDATE SET {changed}"


def _remove(table: Table, only: str) -> str:
    found = " AND ".join(f"{column.name} = ?" for column in table.key)
    return f"DELETE FROM {table.name} WHERE {found}{only}"  # noqa: S608


def _read(table: Table, columns: Sequence[str]) -> str:
    order = ", ".join(table.primary)
    return f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {order}"  # noqa: S608


PUT_SERIAL = """
INSERT INTO tenants (tenant, serial) VALUES (?, ?)
ON CONFLICT DO UPDATE SET serial = excluded.serial WHERE excluded.serial > serial
"""
ADD_SESSION = _add("sessions", COLUMNS)
WRITE = {
    int: PUT_SERIAL,
    **{kind: _add(TABLES[kind].name, TABLES[kind].names) for kind in ADDED},
    **{kind: _put(TABLES[kind]) for kind in PUT},
}
REMOVE = {
    kind: _remove(table, ONLY.get(kind, ""))
    for kind, table in TABLES.items()
    if kind not in (int, Record)
}
READ = {
    kind: _read(table, COLUMNS if kind is Session else table.names)
    for kind, table in TABLES.items()
    if kind is not Record
}
