"""Sessions as rows."""

from functools import lru_cache
from sys import intern

import msgspec

from lastcall.domain.factor import Factor
from lastcall.domain.session import Device, End, Participant, Session
from lastcall.domain.types import EndReason, Instant, Kind, SubjectId, TenantId, TokenHash
from lastcall.rows.table import Row, table
from lastcall.rows.values import Values, json

COLUMNS = (
    "tenant serial:n id | subject token_hash:b dialect kind address port:n factors created:n"
    " last_seen:n idle:n expires:n token_expires:n refresh_hash:b spent:b participants impersonator"
    " ended_at:n ended_why ended_by"
)
AGENT = "host user_agent device"

Agent = tuple[str, str, Device]
"""A host, a user agent, and the device it is taken for: the same in very many sessions."""

_factors = msgspec.json.Decoder(tuple[Factor, ...]).decode


def session_row(one: Session) -> Values:
    """Without the agent."""
    end = one.ended
    ending = (None, None, None) if end is None else (end.at, end.why, end.by)
    return (
        one.tenant,
        one.serial,
        one.id,
        one.subject,
        one.token_hash,
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
        one.impersonator,
        *ending,
    )


def session_of(row: Row, agent: Agent) -> Session:
    """From what `session_row` gives; what stands behind it in the row is ignored."""
    host, user_agent, device = agent
    spent = row[16]
    return Session(
        tenant=TenantId(intern(row[0])),
        serial=row[1],
        id=row[2],
        subject=row[3],
        token_hash=TokenHash(row[4]),
        dialect=row[5],
        kind=Kind(row[6]),
        address=intern(row[7]),
        port=row[8],
        host=host,
        user_agent=user_agent,
        device=device,
        factors=_factors(row[9]),
        created=row[10],
        last_seen=row[11],
        idle=row[12],
        expires=row[13],
        token_expires=row[14],
        refresh_hash=row[15],
        spent=tuple(TokenHash(spent[at : at + 32]) for at in range(0, len(spent), 32)),
        participants=_participants(row[17]),
        impersonator=row[18],
        ended=None if row[19] is None else end_of(row[19], row[20], row[21]),
    )


@lru_cache(maxsize=4_096)
def end_of(at: int, why: str, by: SubjectId | None) -> End:
    """Sessions that ended by one revocation share it."""
    return End(at=Instant(at), why=EndReason(why), by=by)


@lru_cache(maxsize=64)
def _participants(text: str) -> tuple[Participant, ...]:
    return msgspec.json.decode(text, type=tuple[Participant, ...])


@lru_cache(maxsize=4_096)
def _device(text: str) -> Device:
    """Most sessions come from few devices: they share one."""
    return msgspec.json.decode(text, type=Device)


SESSIONS = table(
    "sessions",
    f"{COLUMNS} {AGENT}",
    lambda _, one: (one.tenant, one.serial, one.id),
    lambda one: (*session_row(one)[3:], one.host, one.user_agent, json(one.device)),
    lambda row: session_of(row, (intern(row[22]), intern(row[23]), _device(row[24]))),
    "tenant serial",
)

OWN = SESSIONS.names[:-3]
"""The columns of `session_row`, for a store that keeps the agents apart."""
