"""What is written in one turn: the changes as operations, for the feed and as one statement.

An operation is a list: its name, then its values. The name of a table puts the row that follows
into it, with a minus sign it removes the row of that key; `end`, `together` and `touch` change
sessions. The feed holds them in their order, and other nodes repeat them.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec

from lastcall.domain.audit import Record
from lastcall.domain.session import Session
from lastcall.domain.types import Instant
from lastcall.index import Changed, EndedTogether, Touched, at_of
from lastcall.index.held import Held
from lastcall.rows import Value, Values, not_text, refused, storable
from lastcall.stores.postgres.statement import END, TOUCH, sql_of
from lastcall.stores.postgres.tables import TABLES

Operation = tuple[Any, ...]
Key = Values

HEAD, TOGETHER = "head", "together"
"""A record of the audit chain, of which other nodes need the place and the digest alone; and
sessions that one revocation ended."""

SESSIONS = TABLES[Session]


@dataclass(slots=True)
class Batch:
    """`written` is the last operation on each row: one statement can change a row once only."""

    id: str = field(default_factory=lambda: uuid4().hex)
    feed: list[Operation] = field(default_factory=list)
    written: dict[Key, Operation] = field(default_factory=dict)
    fresh: set[Key] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)
    used: list[tuple[Held, Instant]] = field(default_factory=list)
    latest: Instant = Instant(0)

    def add(self, changes: Sequence[Changed | EndedTogether]) -> None:
        """Take all of them or, raising `Invalid` for what cannot be stored, none."""
        try:
            made = [None if isinstance(one, EndedTogether) else _operations(one) for one in changes]
        except (UnicodeEncodeError, OverflowError) as error:
            raise refused(error) from error
        for change, operations in zip(changes, made, strict=True):
            if isinstance(change, EndedTogether):
                self._end_together(change)
                continue
            assert operations is not None
            key, told, whole = operations
            first = key not in self.written
            if first and change.before is None:
                self.fresh.add(key)
            self.feed.append(told)
            self.written[key] = told if first and told[0] != HEAD else whole
            if change.after is not None:
                self.latest = max(self.latest, at_of(change.after))
                if isinstance(change.after, Record):
                    self.records.append(change.after)

    def _end_together(self, ended: EndedTogether) -> None:
        end, tenant = ended.end, ended.tenant
        ending = (end.at, end.why, end.by)
        ids = [held.id for held in ended.rows]
        self.feed.append((TOGETHER, tenant, *ending, ids))
        self.latest = max(self.latest, end.at)
        for held in ended.rows:
            row: Operation = (tenant, held.serial, held.id)
            key = (SESSIONS.name, *row)
            if key in self.written:
                self.written[key] = (SESSIONS.name, *SESSIONS.row(tenant, held.passing()))
            else:
                self.written[key] = (END, *row, *ending, held.last_seen)

    def touch(self, used: Touched, id: str) -> bool:
        """False when the row is changed by this batch already."""
        key = (SESSIONS.name, used.tenant, used.serial, id)
        if key in self.written:
            return False
        operation = (TOUCH, used.tenant, used.serial, id, used.at)
        self.feed.append(operation)
        self.written[key] = operation
        self.latest = max(self.latest, used.at)
        return True

    def changes(self) -> bytes:
        return msgspec.msgpack.encode(self.feed)

    def statement(self) -> tuple[str, Sequence[Sequence[Value]], Sequence[int | None]]:
        """The SQL, its arguments from the seventh on, and how many rows each part must change; None
        where a use may come too late."""
        parts: dict[str, list[Operation]] = defaultdict(list)
        for key, operation in self.written.items():
            name = str(operation[0])
            if not (name.endswith("-") and key in self.fresh):
                parts[name].append(operation)
        names = tuple(sorted(parts))
        arguments = [
            column for name in names for column in list(zip(*parts[name], strict=True))[1:]
        ]
        must = [None if name == TOUCH else len(parts[name]) for name in names]
        return sql_of(names), arguments, must


def _operations(change: Changed) -> tuple[Key, Operation, Operation]:
    """The key of the row, what the feed tells of the change, and all that the row is now."""
    fact = change.before if change.after is None else change.after
    table = TABLES[type(fact)]
    key = table.key_of(change.tenant, fact)
    name: Key = (table.name, *key)
    if change.after is None:
        gone = (f"{table.name}-", *key)
        return name, gone, gone
    row = key + table.rest_of(fact)
    _check(row)
    whole = (table.name, *row)
    if isinstance(fact, Record):
        return name, (HEAD, change.tenant, fact.seq, fact.digest), whole
    if isinstance(fact, Session) and isinstance(change.before, Session) and fact.ended is not None:
        end = fact.ended
        return name, (END, *key, end.at, end.why, end.by, fact.last_seen), whole
    return name, whole, whole


def _check(row: Values) -> None:
    """Raises what `refused` is for, and `Invalid` for a zero byte, which PostgreSQL has no room
    for in a text."""
    storable(row)
    for value in row:
        if isinstance(value, str) and "\0" in value:
            raise not_text()


def operations(changes: bytes) -> Iterator[Operation]:
    """What a row of the feed tells to do."""
    yield from msgspec.msgpack.decode(changes, type=list[tuple[Any, ...]])
