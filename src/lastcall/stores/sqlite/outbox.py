"""The outbox on disk: the statements that write it, and reading it back."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from apsw import Connection

from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState, Outcome
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.types import TenantId

Value = str | int | bytes | None
Values = tuple[Value, ...]
Statement = tuple[str, Values]
Put = Client | AccountName | Attempt | Preview | Plan | Remembered
Row = Put | Delivery

PUT_CLIENT = """
INSERT INTO clients VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body
"""
REMOVE_CLIENT = "DELETE FROM clients WHERE tenant = ? AND id = ?"

PUT_ACCOUNT = """
INSERT INTO account_names VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET account = excluded.account
"""
REMOVE_ACCOUNT = "DELETE FROM account_names WHERE tenant = ? AND client = ? AND subject = ?"

ADD_DELIVERY = """
INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
CHANGE_DELIVERY = """
UPDATE deliveries SET
    created = ?, state = ?, attempts = ?, next_at = ?, claimed_until = ?, unknown = ?,
    settled_at = ?, last_status = ?, last_error = ?, until = ?
WHERE tenant = ? AND receipt = ? AND id = ?
"""
REMOVE_DELIVERY = "DELETE FROM deliveries WHERE tenant = ? AND receipt = ? AND id = ?"

ADD_ATTEMPT = "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
REMOVE_ATTEMPT = "DELETE FROM attempts WHERE tenant = ? AND delivery = ? AND number = ?"

PUT_PREVIEW = """
INSERT INTO previews VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body
"""
REMOVE_PREVIEW = "DELETE FROM previews WHERE tenant = ? AND id = ?"

PUT_PLAN = """
INSERT INTO plans VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body
"""
REMOVE_PLAN = "DELETE FROM plans WHERE tenant = ? AND id = ?"

REMEMBER = """
INSERT INTO remembered VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET body = excluded.body, result = excluded.result, at = excluded.at
"""
FORGET = "DELETE FROM remembered WHERE tenant = ? AND key = ?"


def statement(tenant: TenantId, one: Row, *, new: bool, gone: bool) -> Statement:
    if isinstance(one, Delivery):
        return _delivery(one, new=new, gone=gone)
    return _removed(tenant, one) if gone else _put(tenant, one)


def _put(tenant: TenantId, one: Put) -> Statement:
    match one:
        case Client():
            return PUT_CLIENT, (tenant, one.id, json(one))
        case AccountName():
            return PUT_ACCOUNT, (tenant, one.client, one.subject, one.account)
        case Attempt():
            return ADD_ATTEMPT, (tenant, *_attempt(one))
        case Preview():
            return PUT_PREVIEW, (tenant, one.id, json(one))
        case Plan():
            return PUT_PLAN, (tenant, one.id, json(one))
        case Remembered():
            return REMEMBER, (tenant, one.key, one.body, one.result, one.at)


def _removed(tenant: TenantId, one: Put) -> Statement:
    match one:
        case Client():
            return REMOVE_CLIENT, (tenant, one.id)
        case AccountName():
            return REMOVE_ACCOUNT, (tenant, one.client, one.subject)
        case Attempt():
            return REMOVE_ATTEMPT, (tenant, one.delivery, one.number)
        case Preview():
            return REMOVE_PREVIEW, (tenant, one.id)
        case Plan():
            return REMOVE_PLAN, (tenant, one.id)
        case Remembered():
            return FORGET, (tenant, one.key)


def _delivery(one: Delivery, *, new: bool, gone: bool) -> Statement:
    key = (one.tenant, one.receipt, one.id)
    if gone:
        return REMOVE_DELIVERY, key
    tries = (one.state, one.attempts, one.next_at, one.claimed_until, one.unknown)
    settled = (one.settled_at, one.last_status, one.last_error, one.until)
    if not new:
        return CHANGE_DELIVERY, (one.created, *tries, *settled, *key)
    whom = (one.client, one.subject, one.account, one.sid, one.session)
    return ADD_DELIVERY, (*key, *whom, one.created, *tries, *settled)


def _attempt(one: Attempt) -> tuple[Value, ...]:
    return (
        one.delivery,
        one.number,
        one.at,
        one.took,
        one.outcome,
        one.status,
        one.received,
        one.error,
        one.jti,
        one.dead,
        one.retry_after,
    )


_json = msgspec.json.Encoder().encode


def json(value: object) -> str:
    return _json(value).decode()


CLIENTS = "SELECT tenant, body FROM clients ORDER BY tenant, id"
ACCOUNTS = "SELECT * FROM account_names ORDER BY tenant, client, subject"
DELIVERIES = "SELECT * FROM deliveries ORDER BY tenant, receipt, id"
ATTEMPTS = "SELECT * FROM attempts ORDER BY tenant, delivery, number"
PREVIEWS = "SELECT tenant, body FROM previews ORDER BY tenant, id"
PLANS = "SELECT tenant, body FROM plans ORDER BY tenant, id"
REMEMBERED = "SELECT * FROM remembered ORDER BY tenant, key"


def facts(db: Connection) -> Iterator[tuple[TenantId, Row]]:
    for tenant, body in db.execute(CLIENTS):
        yield tenant, msgspec.json.decode(body, type=Client)
    for tenant, client, subject, account in db.execute(ACCOUNTS):
        yield tenant, AccountName(client=client, subject=subject, account=account)
    for row in db.execute(DELIVERIES):
        yield row[0], _delivery_of(row)
    for tenant, *rest in db.execute(ATTEMPTS):
        yield tenant, _attempt_of(rest)
    for tenant, body in db.execute(PREVIEWS):
        yield tenant, msgspec.json.decode(body, type=Preview)
    for tenant, body in db.execute(PLANS):
        yield tenant, msgspec.json.decode(body, type=Plan)
    for tenant, key, body, result, at in db.execute(REMEMBERED):
        yield tenant, Remembered(key=key, body=body, result=result, at=at)


def _delivery_of(row: Sequence[Any]) -> Delivery:
    return Delivery(
        tenant=row[0],
        receipt=row[1],
        id=row[2],
        client=row[3],
        subject=row[4],
        account=row[5],
        sid=row[6],
        session=row[7],
        created=row[8],
        state=DeliveryState(row[9]),
        attempts=row[10],
        next_at=row[11],
        claimed_until=row[12],
        unknown=bool(row[13]),
        settled_at=row[14],
        last_status=row[15],
        last_error=row[16],
        until=row[17],
    )


def _attempt_of(row: Sequence[Any]) -> Attempt:
    return Attempt(
        delivery=row[0],
        number=row[1],
        at=row[2],
        took=row[3],
        outcome=Outcome(row[4]),
        status=row[5],
        received=row[6],
        error=row[7],
        jti=row[8],
        dead=None if row[9] is None else bool(row[9]),
        retry_after=row[10],
    )
