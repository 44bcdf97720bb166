"""A table of the database: its columns, and a row made from a fact and back again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lastcall.domain.types import TenantId
from lastcall.index import Fact

Value = str | int | bytes | bool | None
Row = Sequence[Any]

TYPES = {"t": "text", "n": "bigint", "b": "bytea", "f": "boolean"}


@dataclass(frozen=True, slots=True)
class Table:
    """`key` is how many columns at the front tell a row; `conflict` those of the primary key."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: int
    conflict: tuple[str, ...]
    row: Callable[[TenantId, Any], tuple[Value, ...]]
    fact: Callable[[Row], Fact]


def table(
    name: str,
    columns: str,
    key: int,
    row: Callable[[TenantId, Any], tuple[Value, ...]],
    fact: Callable[[Row], Fact],
    conflict: str = "",
) -> Table:
    parts = [one.partition(":") for one in columns.split()]
    typed = tuple((column, TYPES[kind or "t"]) for column, _, kind in parts)
    return Table(
        name=name,
        columns=typed,
        key=key,
        conflict=tuple(conflict.split()) or tuple(column for column, _ in typed[:key]),
        row=row,
        fact=fact,
    )


def json(value: object) -> str:
    return msgspec.json.encode(value).decode()
