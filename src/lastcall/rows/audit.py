"""Audit records as rows."""

import msgspec

from lastcall.domain.audit import GENESIS, Action, Event, Outcome, Record
from lastcall.domain.origin import Origin
from lastcall.domain.types import Instant
from lastcall.rows.table import Row, table
from lastcall.rows.values import Values, json

_detail = msgspec.json.Decoder(dict[str, str]).decode


def _rest(one: Record) -> Values:
    event, origin = one.event, one.event.origin
    return (
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


def record_of(row: Row) -> Record:
    """From a row with the digest of the record before at its end, None before the first."""
    origin = Origin(
        dialect=row[10],
        address=row[11],
        port=row[12],
        host=row[13],
        user_agent=row[14],
        request_id=row[15],
    )
    event = Event(
        tenant=row[0],
        at=Instant(row[2]),
        action=Action(row[3]),
        outcome=Outcome(row[4]),
        actor=row[5],
        actor_name=row[6],
        target=row[7],
        code=row[8],
        detail=_detail(row[9]),
        origin=origin,
    )
    previous = GENESIS if row[-1] is None else row[-1]
    return Record(seq=row[1], event=event, previous=previous, digest=row[16])


AUDIT = table(
    "audit",
    "tenant seq:n | at:n action outcome actor actor_name target code detail dialect address"
    " port:n host user_agent request_id digest:b",
    lambda _, one: (one.event.tenant, one.seq),
    _rest,
    record_of,
    "seq",
)
