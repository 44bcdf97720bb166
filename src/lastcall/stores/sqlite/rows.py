"""The statements that write: one for each change, each checked to have found its row."""

from collections.abc import Iterable
from functools import cache

import msgspec
from apsw import Connection

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Record
from lastcall.domain.errors import Invalid
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Receipt,
    Scope,
)
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import TenantId
from lastcall.index import Change, EndedTogether, Fact, Touched
from lastcall.stores.sqlite import outbox
from lastcall.stores.sqlite.agents import Agents
from lastcall.stores.sqlite.outbox import Row, Statement, Value, Values, json

PUT_SERIAL = """
INSERT INTO tenants (tenant, serial) VALUES (?, ?)
ON CONFLICT DO UPDATE SET serial = excluded.serial WHERE excluded.serial > serial
"""
PUT_SUBJECT = """
INSERT INTO subjects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    username = excluded.username, password_hash = excluded.password_hash, role = excluded.role,
    version = excluded.version, created = excluded.created, changed = excluded.changed,
    email = excluded.email, name = excluded.name, first_name = excluded.first_name,
    last_name = excluded.last_name, groups = excluded.groups, profile = excluded.profile,
    totp_secret = excluded.totp_secret, totp_step = excluded.totp_step,
    email_codes = excluded.email_codes, backup_codes = excluded.backup_codes,
    enabled = excluded.enabled
"""
REMOVE_SUBJECT = "DELETE FROM subjects WHERE tenant = ? AND id = ?"

ADD_SESSION = """
INSERT INTO sessions
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
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
UPDATE sessions SET ended_at = ?, ended_why = ?, ended_by = ?
WHERE tenant = ? AND serial = ? AND ended_at IS NULL
"""
END_TOGETHER = """
UPDATE sessions SET ended_at = ?, ended_why = ?, ended_by = ?
WHERE tenant = ? AND serial IN (SELECT value FROM json_each(?)) AND ended_at IS NULL
"""
TOUCH_SESSION = """
UPDATE sessions SET last_seen = ?1
WHERE tenant = ?2 AND serial = ?3 AND ended_at IS NULL AND last_seen < ?1
"""
REMOVE_SESSION = """
DELETE FROM sessions WHERE tenant = ? AND serial = ? AND ended_at IS NOT NULL
"""

ADD_REVOCATION = "INSERT INTO revocations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
PROGRESS = "UPDATE revocations SET ended = ?, complete = ? WHERE tenant = ? AND serial = ?"
REMOVE_REVOCATION = "DELETE FROM revocations WHERE tenant = ? AND serial = ? AND complete"

PUT_STRIKES = """
INSERT INTO strikes VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    count = excluded.count, since = excluded.since, locked_until = excluded.locked_until
"""
CLEAR_STRIKES = "DELETE FROM strikes WHERE tenant = ? AND key = ?"

PUT_CODE = """
INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    mac = excluded.mac, expires = excluded.expires, tries_left = excluded.tries_left
"""
DROP_CODE = "DELETE FROM codes WHERE tenant = ? AND subject = ? AND purpose = ?"

ADD_RECORD = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

FEW = 3
"""Rows that one statement each ends more quickly than one statement that takes a list."""

MAX_INTEGER = 2**63 - 1


_encode = msgspec.msgpack.Encoder().encode


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
            if isinstance(change, EndedTogether) and len(change.rows) <= FEW:
                found += _one_by_one(change)
            else:
                found.append(_changing(change, agents))
        found[:0] = agents.new()
        for _, values in found:
            _storable(values)
    except BaseException as error:
        agents.give_up()
        if isinstance(error, UnicodeEncodeError):
            raise Invalid("text", "holds a character that cannot be stored") from error
        raise
    agents.keep()
    return found


def _storable(values: Values) -> None:
    """Raises what the encoder raises, which looks at every text and number."""
    try:
        _encode(values)
    except OverflowError as error:
        raise Invalid("number", "is too large to be stored") from error
    for value in values:
        if type(value) is int and value > MAX_INTEGER:
            raise Invalid("number", "is too large to be stored")


def _changing(change: Change, agents: Agents) -> Statement:
    if isinstance(change, Touched):
        return TOUCH_SESSION, (change.at, change.tenant, change.serial)
    if isinstance(change, EndedTogether):
        return _together(change)
    if change.before is None and isinstance(change.after, Session):
        return ADD_SESSION, _whole_session(change.after, agents)
    return _statement(change.tenant, change.before, change.after)


def _statement(tenant: TenantId, before: Fact | None, after: Fact | None) -> Statement:
    changed = before if after is None else after
    if isinstance(changed, Row):
        return outbox.statement(tenant, changed, new=before is None, gone=after is None)
    match changed:
        case Session() as one:
            return _session(one, gone=after is None)
        case Record() as one:
            return ADD_RECORD, _record(one)
        case Strikes() as one:
            return _strikes(tenant, one, gone=after is None)
        case Receipt() as one:
            return _receipt(one, new=before is None, gone=after is None)
        case Subject() as one if after is None:
            return REMOVE_SUBJECT, (tenant, one.id)
        case Subject() as one:
            return PUT_SUBJECT, _subject(one)
        case Code() as one if after is None:
            return DROP_CODE, (tenant, one.subject, one.purpose)
        case Code() as one:
            values = (tenant, one.subject, one.purpose, one.mac, one.expires, one.tries_left)
            return PUT_CODE, values
        case serial:
            return PUT_SERIAL, (tenant, serial)


def _strikes(tenant: TenantId, one: Strikes, *, gone: bool) -> Statement:
    if gone:
        return CLEAR_STRIKES, (tenant, one.key)
    return PUT_STRIKES, (tenant, one.key, one.count, one.since, one.locked_until)


def _session(one: Session, *, gone: bool) -> Statement:
    key = (one.tenant, one.serial)
    if gone:
        return REMOVE_SESSION, key
    if one.ended is not None:
        end = one.ended
        return END_SESSION, (end.at, end.why, end.by, one.last_seen, *key)
    secrets = (one.token_hash, one.token_expires, one.refresh_hash, b"".join(one.spent))
    return RENEW_SESSION, (*secrets, json(one.factors), json(one.participants), *key)


def _one_by_one(ended: EndedTogether) -> Iterable[Statement]:
    end = ended.end
    for serial in ended.serials:
        yield END_ONE, (end.at, end.why, end.by, ended.tenant, serial)


def _together(ended: EndedTogether) -> Statement:
    end = ended.end
    return END_TOGETHER, (end.at, end.why, end.by, ended.tenant, json(ended.serials))


def _whole_session(one: Session, agents: Agents) -> tuple[Value, ...]:
    end = one.ended
    ending = (None, None, None) if end is None else (end.at, end.why, end.by)
    return (
        one.tenant,
        one.serial,
        one.id,
        one.subject,
        one.token_hash,
        agents.number(one),
        one.dialect,
        one.kind,
        one.address,
        one.port,
        json(one.factors),
        one.created,
        one.last_seen,
        one.idle,
        one.expires,
        one.token_expires,
        one.refresh_hash,
        b"".join(one.spent),
        json(one.participants),
        *ending,
        one.impersonator,
    )


def _subject(one: Subject) -> tuple[Value, ...]:
    return (
        one.tenant,
        one.id,
        one.username,
        one.password_hash,
        one.role,
        one.version,
        one.created,
        one.changed,
        one.email,
        one.name,
        one.first_name,
        one.last_name,
        json(one.groups),
        json(one.profile),
        one.totp_secret,
        one.totp_step,
        one.email_codes,
        json(one.backup_codes),
        one.enabled,
    )


def _receipt(one: Receipt, *, new: bool, gone: bool) -> Statement:
    by = one.revocation
    key = (by.tenant, by.serial)
    if gone:
        return REMOVE_REVOCATION, key
    if not new:
        return PROGRESS, (one.sessions_ended, one.complete, *key)
    told = (by.at, by.why, by.by, by.by_name, by.reason, by.via)
    done = (one.sessions_ended, one.complete)
    return ADD_REVOCATION, (*key, by.id, scope_text(by.scope), *told, *done)


def _record(one: Record) -> tuple[Value, ...]:
    event, origin = one.event, one.event.origin
    return (
        one.seq,
        event.tenant,
        event.at,
        event.action,
        event.outcome,
        event.actor,
        event.actor_name,
        event.target,
        event.code,
        json(event.detail),
        origin.dialect,
        origin.address,
        origin.port,
        origin.host,
        origin.user_agent,
        origin.request_id,
        one.digest,
    )


KINDS: dict[str, type[Scope]] = {
    "session": OneSession,
    "sessions": OfSessions,
    "subject": OfSubject,
    "dialect": OfDialect,
    "tenant": OfTenant,
}
NAMES = {kind: name for name, kind in KINDS.items()}


def scope_text(scope: Scope) -> str:
    return json({NAMES[type(scope)]: scope})
