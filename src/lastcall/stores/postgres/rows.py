"""The tables of the authority: sessions, accounts, revocations, the audit chain."""

from functools import lru_cache
from sys import intern

import msgspec

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import GENESIS, Action, Event, Outcome, Record
from lastcall.domain.factor import Factor
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Receipt,
    Revocation,
    Scope,
)
from lastcall.domain.origin import Origin
from lastcall.domain.session import Device, End, Participant, Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import EndReason, Instant, Kind, TenantId, TokenHash
from lastcall.stores.postgres.table import Row, Table, Value, json, table

# --- sessions ---


def session_row(_: TenantId, one: Session) -> tuple[Value, ...]:
    end = one.ended
    ending = (None, None, None) if end is None else (end.at, end.why.value, end.by)
    return (
        one.tenant,
        one.serial,
        one.id,
        one.subject,
        one.token_hash,
        one.dialect,
        one.kind.value,
        one.address,
        one.port,
        one.host,
        one.user_agent,
        json(one.device),
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


@lru_cache(maxsize=4_096)
def _device(text: str) -> Device:
    """Most sessions come from few devices: they share one."""
    return msgspec.json.decode(text, type=Device)


@lru_cache(maxsize=64)
def _participants(text: str) -> tuple[Participant, ...]:
    return msgspec.json.decode(text, type=tuple[Participant, ...])


def session_of(row: Row) -> Session:
    spent = row[19]
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
        host=intern(row[9]),
        user_agent=intern(row[10]),
        device=_device(row[11]),
        factors=msgspec.json.decode(row[12], type=tuple[Factor, ...]),
        created=row[13],
        last_seen=row[14],
        idle=row[15],
        expires=row[16],
        token_expires=row[17],
        refresh_hash=row[18],
        spent=tuple(TokenHash(spent[at : at + 32]) for at in range(0, len(spent), 32)),
        participants=_participants(row[20]),
        impersonator=row[21],
        ended=None if row[22] is None else End(at=row[22], why=EndReason(row[23]), by=row[24]),
    )


# --- subjects ---


def _subject_row(_: TenantId, one: Subject) -> tuple[Value, ...]:
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


def _subject_of(row: Row) -> Subject:
    return Subject(
        tenant=row[0],
        id=row[1],
        username=row[2],
        password_hash=row[3],
        role=row[4],
        version=row[5],
        created=row[6],
        changed=row[7],
        email=row[8],
        name=row[9],
        first_name=row[10],
        last_name=row[11],
        groups=msgspec.json.decode(row[12], type=tuple[str, ...]),
        profile=msgspec.json.decode(row[13], type=dict[str, object]),
        totp_secret=row[14],
        totp_step=row[15],
        email_codes=row[16],
        backup_codes=msgspec.json.decode(row[17], type=tuple[str, ...]),
        enabled=row[18],
    )


# --- revocations ---

KINDS: dict[str, type[Scope]] = {
    "session": OneSession,
    "sessions": OfSessions,
    "subject": OfSubject,
    "dialect": OfDialect,
    "tenant": OfTenant,
}
NAMES = {kind: name for name, kind in KINDS.items()}


def _receipt_row(_: TenantId, one: Receipt) -> tuple[Value, ...]:
    by = one.revocation
    scope = json({NAMES[type(by.scope)]: by.scope})
    told = (by.at, by.why.value, by.by, by.by_name, by.reason, by.via)
    return (by.tenant, by.serial, by.id, scope, *told, one.sessions_ended, one.complete)


def _receipt_of(row: Row) -> Receipt:
    ((name, fields),) = msgspec.json.decode(row[3], type=dict[str, msgspec.Raw]).items()
    revocation = Revocation(
        tenant=row[0],
        serial=row[1],
        id=row[2],
        scope=msgspec.json.decode(fields, type=KINDS[name]),
        at=row[4],
        why=EndReason(row[5]),
        by=row[6],
        by_name=row[7],
        reason=row[8],
        via=row[9],
    )
    return Receipt(revocation=revocation, sessions_ended=row[10], complete=row[11])


# --- audit ---


def _record_row(_: TenantId, one: Record) -> tuple[Value, ...]:
    event, origin = one.event, one.event.origin
    return (
        event.tenant,
        one.seq,
        event.at,
        event.action.value,
        event.outcome.value,
        event.actor,
        event.actor_name,
        event.target,
        event.code,
        json(event.detail),
        event.detail.get("receipt"),
        origin.dialect,
        origin.address,
        origin.port,
        origin.host,
        origin.user_agent,
        origin.request_id,
        one.digest,
    )


def record_of(row: Row) -> Record:
    """From a row and, behind it, the digest of the record before (None before the first)."""
    origin = Origin(
        dialect=row[11],
        address=row[12],
        port=row[13],
        host=row[14],
        user_agent=row[15],
        request_id=row[16],
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
        detail=msgspec.json.decode(row[9], type=dict[str, str]),
        origin=origin,
    )
    return Record(seq=row[1], event=event, previous=row[18] or GENESIS, digest=row[17])


# --- all of them ---

TABLES: dict[type, Table] = {
    int: table("tenants", "tenant serial:n", 1, lambda t, n: (t, n), lambda row: int(row[1])),
    Subject: table(
        "subjects",
        "tenant id username password_hash role version:n created:n changed:n email name"
        " first_name last_name groups profile totp_secret totp_step:n email_codes:f backup_codes"
        " enabled:f",
        2,
        _subject_row,
        _subject_of,
    ),
    Session: table(
        "sessions",
        "tenant serial:n id subject token_hash:b dialect kind address port:n host user_agent"
        " device factors created:n last_seen:n idle:n expires:n token_expires:n refresh_hash:b"
        " spent:b participants impersonator ended_at:n ended_why ended_by",
        3,
        session_row,
        session_of,
        "tenant serial",
    ),
    Receipt: table(
        "revocations",
        "tenant serial:n id scope at:n why by by_name reason via ended:n complete:f",
        3,
        _receipt_row,
        _receipt_of,
        "tenant serial",
    ),
    Strikes: table(
        "strikes",
        "tenant key count:n since:n locked_until:n",
        2,
        lambda t, one: (t, one.key, one.count, one.since, one.locked_until),
        lambda row: Strikes(key=row[1], count=row[2], since=row[3], locked_until=row[4]),
    ),
    Code: table(
        "codes",
        "tenant subject purpose mac expires:n tries_left:n",
        3,
        lambda t, one: (t, one.subject, one.purpose, one.mac, one.expires, one.tries_left),
        lambda row: Code(
            subject=row[1], purpose=row[2], mac=row[3], expires=row[4], tries_left=row[5]
        ),
    ),
    Record: table(
        "audit",
        "tenant seq:n at:n action outcome actor actor_name target code detail receipt dialect"
        " address port:n host user_agent request_id digest:b",
        2,
        _record_row,
        record_of,
        "seq",
    ),
}
