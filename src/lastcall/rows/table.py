"""A table: its columns, and a row made from a fact and back again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lastcall.domain.types import TenantId
from lastcall.rows.values import Values

Row = Sequence[Any]

HOLDS = {"": "text", "n": "number", "b": "bytes", "f": "flag"}


class Column(NamedTuple):
    name: str
    holds: str


@dataclass(frozen=True, slots=True)
class Table:
    """`key` are the columns that tell a row, `rest` those behind them, `primary` the names of the
    primary key, by which rows are read in order."""

    name: str
    key: tuple[Column, ...]
    rest: tuple[Column, ...]
    primary: tuple[str, ...]
    key_of: Callable[[TenantId, Any], Values]
    rest_of: Callable[[Any], Values]
    fact: Callable[[Row], Any]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.key + self.rest

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def row(self, tenant: TenantId, one: Any) -> Values:
        return self.key_of(tenant, one) + self.rest_of(one)


def table(
    name: str,
    columns: str,
    key_of: Callable[[TenantId, Any], Values],
    rest_of: Callable[[Any], Values],
    fact: Callable[[Row], Any],
    primary: str = "",
) -> Table:
    """Of columns by their names, those of the key before the bar, with `:n` behind numbers, `:b`
    behind bytes, `:f` behind flags. The key is the primary key if no other is given."""
    key, rest = (_columns(told) for told in columns.split(" | "))
    return Table(
        name=name,
        key=key,
        rest=rest,
        primary=tuple(primary.split()) or tuple(column.name for column in key),
        key_of=key_of,
        rest_of=rest_of,
        fact=fact,
    )


def _columns(told: str) -> tuple[Column, ...]:
    parts = (one.partition(":") for one in told.split())
    return tuple(Column(name, HOLDS[kind]) for name, _, kind in parts)
