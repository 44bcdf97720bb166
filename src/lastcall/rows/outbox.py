"""The outbox and what is intended as rows."""

import msgspec

from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState, Outcome
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.rows.table import Row, Table, table
from lastcall.rows.values import Values, json


def _delivery_rest(one: Delivery) -> Values:
    return (
        one.client,
        one.subject,
        one.account,
        one.sid,
        one.session,
        one.created,
        one.state,
        one.attempts,
        one.next_at,
        one.claimed_until,
        one.unknown,
        one.settled_at,
        one.last_status,
        one.last_error,
        one.until,
    )


def _delivery_of(row: Row) -> Delivery:
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


def _attempt_rest(one: Attempt) -> Values:
    return (
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


def _attempt_of(row: Row) -> Attempt:
    return Attempt(
        delivery=row[1],
        number=row[2],
        at=row[3],
        took=row[4],
        outcome=Outcome(row[5]),
        status=row[6],
        received=row[7],
        error=row[8],
        jti=row[9],
        dead=None if row[10] is None else bool(row[10]),
        retry_after=row[11],
    )


def _whole(name: str, kind: type) -> Table:
    """Of what is asked for by its id alone: all the rest is one text."""
    return table(
        name,
        "tenant id | body",
        lambda tenant, one: (tenant, one.id),
        lambda one: (json(one),),
        lambda row: msgspec.json.decode(row[2], type=kind),
    )


TABLES: dict[type, Table] = {
    Client: _whole("clients", Client),
    AccountName: table(
        "account_names",
        "tenant client subject | account",
        lambda tenant, one: (tenant, one.client, one.subject),
        lambda one: (one.account,),
        lambda row: AccountName(client=row[1], subject=row[2], account=row[3]),
    ),
    Delivery: table(
        "deliveries",
        "tenant receipt id | client subject account sid session created:n state attempts:n"
        " next_at:n claimed_until:n unknown:f settled_at:n last_status:n last_error until:n",
        lambda _, one: (one.tenant, one.receipt, one.id),
        _delivery_rest,
        _delivery_of,
    ),
    Attempt: table(
        "attempts",
        "tenant delivery number:n | at:n took:n outcome status:n received:n error jti dead:f"
        " retry_after:n",
        lambda tenant, one: (tenant, one.delivery, one.number),
        _attempt_rest,
        _attempt_of,
    ),
    Preview: _whole("previews", Preview),
    Plan: _whole("plans", Plan),
    Remembered: table(
        "remembered",
        "tenant key | body result at:n",
        lambda tenant, one: (tenant, one.key),
        lambda one: (one.body, one.result, one.at),
        lambda row: Remembered(key=row[1], body=row[2], result=row[3], at=row[4]),
    ),
}
