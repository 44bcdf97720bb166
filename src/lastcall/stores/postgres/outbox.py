"""The tables of the outbox and of what is intended."""

import msgspec

from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState, Outcome
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.types import TenantId
from lastcall.stores.postgres.table import Row, Table, Value, json, table


def _delivery_row(_: TenantId, one: Delivery) -> tuple[Value, ...]:
    return (
        one.tenant,
        one.receipt,
        one.id,
        one.client,
        one.subject,
        one.account,
        one.sid,
        one.session,
        one.created,
        one.state.value,
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
        unknown=row[13],
        settled_at=row[14],
        last_status=row[15],
        last_error=row[16],
        until=row[17],
    )


def _attempt_row(tenant: TenantId, one: Attempt) -> tuple[Value, ...]:
    return (
        tenant,
        one.delivery,
        one.number,
        one.at,
        one.took,
        one.outcome.value,
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
        dead=row[10],
        retry_after=row[11],
    )


TABLES: dict[type, Table] = {
    Client: table(
        "clients",
        "tenant id body",
        2,
        lambda t, one: (t, one.id, json(one)),
        lambda row: msgspec.json.decode(row[2], type=Client),
    ),
    AccountName: table(
        "account_names",
        "tenant client subject account",
        3,
        lambda t, one: (t, one.client, one.subject, one.account),
        lambda row: AccountName(client=row[1], subject=row[2], account=row[3]),
    ),
    Delivery: table(
        "deliveries",
        "tenant receipt id client subject account sid session created:n state attempts:n next_at:n"
        " claimed_until:n unknown:f settled_at:n last_status:n last_error until:n",
        3,
        _delivery_row,
        _delivery_of,
    ),
    Attempt: table(
        "attempts",
        "tenant delivery number:n at:n took:n outcome status:n received:n error jti dead:f"
        " retry_after:n",
        3,
        _attempt_row,
        _attempt_of,
    ),
    Preview: table(
        "previews",
        "tenant id body",
        2,
        lambda t, one: (t, one.id, json(one)),
        lambda row: msgspec.json.decode(row[2], type=Preview),
    ),
    Plan: table(
        "plans",
        "tenant id body",
        2,
        lambda t, one: (t, one.id, json(one)),
        lambda row: msgspec.json.decode(row[2], type=Plan),
    ),
    Remembered: table(
        "remembered",
        "tenant key body result at:n",
        2,
        lambda t, one: (t, one.key, one.body, one.result, one.at),
        lambda row: Remembered(key=row[1], body=row[2], result=row[3], at=row[4]),
    ),
}
