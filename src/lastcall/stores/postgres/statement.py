"""The SQL of one turn: everything in one statement, a part for each kind of operation.

Only names of tables and columns are put into the text, and those are ours; values are arrays.
"""

from collections.abc import Sequence
from functools import lru_cache

from lastcall.domain.session import Session
from lastcall.rows import Column
from lastcall.stores.postgres.tables import BY_NAME, TABLES, TYPES

END, TOUCH = "end", "touch"

SESSIONS = TABLES[Session]


def _of_session(*names: str) -> tuple[Column, ...]:
    """The key, and those columns."""
    return (*SESSIONS.key, *(one for name in names for one in SESSIONS.rest if one.name == name))


ENDING = _of_session("ended_at", "ended_why", "ended_by", "last_seen")
TOUCHING = _of_session("last_seen")

TOUCH_SESSIONS = "UPDATE sessions AS s SET last_seen = given.last_seen"
END_SESSIONS = (
    f"{TOUCH_SESSIONS}, ended_at = given.ended_at, ended_why = given.ended_why,"
    " ended_by = given.ended_by"
)
LIVING = "WHERE s.tenant = given.tenant AND s.serial = given.serial AND s.ended_at IS NULL"

FIRST = """\
WITH head_of_feed AS (
    UPDATE feed_head SET seq = $1, latest = greatest(latest, $6)
    WHERE epoch = $2 AND seq = $1 - 1 RETURNING 1
), fed AS (
    INSERT INTO feed (seq, batch, node, at, changes)
    SELECT $1, $3, $4, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, $5 RETURNING 1
)"""


@lru_cache(maxsize=1_024)
def sql_of(names: tuple[str, ...]) -> str:
    """One statement for all operations of these names, which tells how many rows each changed."""
    number, text = 7, FIRST
    for place, name in enumerate(names):
        columns = _columns(name)
        arrays = ", ".join(
            f"${number + at}::{TYPES[holds]}[]" for at, (_, holds) in enumerate(columns)
        )
        number += len(columns)
        text += f", part{place} AS ({_part(name, columns, arrays)} RETURNING 1)"
    counted = ("head_of_feed", *(f"part{place}" for place in range(len(names))))
    counts = ", ".join(f"(SELECT count(*) FROM {one})" for one in counted)  # noqa: S608
    return f"{text} SELECT {counts}"


def _columns(name: str) -> tuple[Column, ...]:
    if name in (END, TOUCH):
        return ENDING if name == END else TOUCHING
    _, table = BY_NAME[name.removesuffix("-")]
    return table.key if name.endswith("-") else table.columns


def _part(name: str, columns: tuple[Column, ...], arrays: str) -> str:
    listed = ", ".join(column for column, _ in columns)
    given = f"unnest({arrays}) AS given({listed})"
    if name == END:
        return f"{END_SESSIONS} FROM {given} {LIVING}"
    if name == TOUCH:
        return f"{TOUCH_SESSIONS} FROM {given} {LIVING} AND s.last_seen < given.last_seen"
    _, table = BY_NAME[name.removesuffix("-")]
    if name.endswith("-"):
        same = " AND ".join(f"t.{column} = given.{column}" for column, _ in columns)
        return f"DELETE FROM {table.name} AS t USING {given} WHERE {same}"  # noqa: S608 - our names
    return _put(table.name, listed, arrays, table.primary)


def _put(name: str, listed: str, arrays: str, primary: Sequence[str]) -> str:
    insert = f"INSERT INTO {name} ({listed}) SELECT * FROM unnest({arrays})"  # noqa: S608
    if name == "audit":
        return insert
    others = [column for column in listed.split(", ") if column not in primary]
    changed = ", ".join(f"{column} = excluded.{column}" for column in others)
    return f"{insert} ON CONFLICT ({', '.join(primary)}) DO UPDATE SET {changed}"
