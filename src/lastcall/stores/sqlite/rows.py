"""The statements that write: one for each change, each checked to have found its row."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from apsw import Connection

from lastcall.domain.delivery import Delivery
from lastcall.domain.logout import Receipt
from lastcall.domain.session import Session
from lastcall.index import Change, EndedTogether, Touched
from lastcall.rows import TABLES, Values, json, refused, session_row, storable
from lastcall.stores.sqlite.agents import Agents
from lastcall.stores.sqlite.tables import ADD_SESSION, PUT_SERIAL, REMOVE, WRITE, Statement

RENEW_SESSION = """
UPDATE sessions
SET token_hash = ?, token_expires = ?, refresh_hash = ?, spent = ?, factors = ?, participants = ?
WHERE tenant = ? AND serial = ? AND ended_at IS NULL
"""
END_SESSION = """
UPDATE sessions SET ended_at = ?, ended_why = ?, ended_by = ?, last_seen = ?
WHERE tenant = ? AND serial = ? AND ended_at IS NULL
"""
END_ONE = """
UPDATE sessions SET last_seen = max(last_seen, ?), ended_at = ?, ended_why = ?, ended_by = ?
WHERE tenant = ? AND serial = ? AND ended_at IS NULL
"""
END_TOGETHER = """
UPDATE sessions SET ended_at = ?, ended_why = ?, ended_by = ?
WHERE tenant = ? AND serial IN (SELECT value FROM json_each(?)) AND ended_at IS NULL
"""
END_ALONE = """
UPDATE sessions SET ended_at = ?, ended_why = ?, ended_by = ?
WHERE tenant = ? AND serial BETWEEN ? AND ? AND ended_at IS NULL AND ? > 0
"""
"""A third of the time. The last value is how many there are, to be compared with."""
TOUCH_SESSION = """
UPDATE sessions SET last_seen = ?1
WHERE tenant = ?2 AND serial = ?3 AND ended_at IS NULL AND last_seen < ?1
"""
PROGRESS = "UPDATE revocations SET ended = ?, complete = ? WHERE tenant = ? AND serial = ?"
CHANGE_DELIVERY = """
UPDATE deliveries SET
    created = ?, state = ?, attempts = ?, next_at = ?, claimed_until = ?, unknown = ?,
    settled_at = ?, last_status = ?, last_error = ?, until = ?
WHERE tenant = ? AND receipt = ? AND id = ?
"""


class OutOfStep(Exception):
    """A row is not on disk as it is in memory."""


def execute(db: Connection, statements: Iterable[Statement]) -> None:
    """Many at once: what is of one table stays in order, and goes together where it is of a kind.

    Raises `OutOfStep` unless each row they are about was there; a use may come too late.
    """
    tables: dict[str, list[tuple[str, list[Values]]]] = {}
    for sql, values in statements:
        runs = tables.setdefault(_table(sql), [])
        if runs and runs[-1][0] is sql:
            runs[-1][1].append(values)
        else:
            runs.append((sql, [values]))
    for runs in tables.values():
        for sql, rows in runs:
            _run(db, sql, rows)


def _run(db: Connection, sql: str, rows: list[Values]) -> None:
    if sql is PUT_SERIAL:
        rows = list({tenant: (tenant, serial) for tenant, serial in rows}.values())
    before = db.total_changes()
    db.executemany(sql, rows)
    changed = db.total_changes() - before
    expected = len(rows)
    if sql is END_TOGETHER:
        expected = sum(str(values[-1]).count(",") + 1 for values in rows)
    elif sql is END_ALONE:
        expected = sum(int(str(values[-1])) for values in rows)
    if changed != expected and sql is not TOUCH_SESSION:
        raise OutOfStep(f"{sql.split()[0]} changed {changed} rows, not {expected}")


@cache
def _table(sql: str) -> str:
    """`INSERT INTO it`, `UPDATE it`, `DELETE FROM it`."""
    words = sql.split()
    return words[1] if words[0] == "UPDATE" else words[2]


def statements(changes: Iterable[Change], agents: Agents) -> list[Statement]:
    """Raises `Invalid` for values no database can hold, such as half a surrogate pair."""
    try:
        found: list[Statement] = []
        for change in changes:
            if isinstance(change, EndedTogether) and change.few:
                found += _one_by_one(change)
            else:
                found.append(_changing(change, agents))
        found[:0] = agents.new()
        for _, values in found:
            storable(values)
    except BaseException as error:
        agents.give_up()
        if isinstance(error, UnicodeEncodeError | OverflowError):
            raise refused(error) from error
        raise
    agents.keep()
    return found


def _changing(change: Change, agents: Agents) -> Statement:
    if isinstance(change, Touched):
        return TOUCH_SESSION, (change.at, change.tenant, change.serial)
    if isinstance(change, EndedTogether):
        return _together(change)
    before, after = change.before, change.after
    kind = type(before if after is None else after)
    if after is None:
        return REMOVE[kind], TABLES[kind].key_of(change.tenant, before)
    if before is not None and kind in CHANGED:
        return CHANGED[kind](after)
    if isinstance(after, Session):
        return ADD_SESSION, (*session_row(after), agents.number(after))
    return WRITE[kind], TABLES[kind].row(change.tenant, after)


def _session(one: Session) -> Statement:
    key = (one.tenant, one.serial)
    if one.ended is not None:
        end = one.ended
        return END_SESSION, (end.at, end.why, end.by, one.last_seen, *key)
    secrets = (one.token_hash, one.token_expires, one.refresh_hash, b"".join(one.spent))
    return RENEW_SESSION, (*secrets, json(one.factors), json(one.participants), *key)


def _receipt(one: Receipt) -> Statement:
    by = one.revocation
    return PROGRESS, (one.sessions_ended, one.complete, by.tenant, by.serial)


def _delivery(one: Delivery) -> Statement:
    tries = (one.state, one.attempts, one.next_at, one.claimed_until, one.unknown)
    settled = (one.settled_at, one.last_status, one.last_error, one.until)
    return CHANGE_DELIVERY, (one.created, *tries, *settled, one.tenant, one.receipt, one.id)


CHANGED: dict[type, Callable[[Any], Statement]] = {
    Session: _session,
    Receipt: _receipt,
    Delivery: _delivery,
}
"""What is not written as a whole again."""


def _one_by_one(ended: EndedTogether) -> Iterable[Statement]:
    end = ended.end
    for held in ended.rows:
        yield END_ONE, (held.last_seen, end.at, end.why, end.by, ended.tenant, held.serial)


def _together(ended: EndedTogether) -> Statement:
    end, rows = ended.end, ended.rows
    told = (end.at, end.why, end.by, ended.tenant)
    if ended.alone:
        return END_ALONE, (*told, rows[0].serial, rows[-1].serial, len(rows))
    return END_TOGETHER, (*told, json(ended.serials))
