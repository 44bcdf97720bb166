"""Accounts, revocations, failed attempts and codes as rows."""

from collections.abc import Mapping

import msgspec

from lastcall.domain.attempts import Code, Strikes
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
from lastcall.domain.subject import Subject
from lastcall.domain.types import EndReason
from lastcall.rows.table import Row, Table, table
from lastcall.rows.values import Values, json

NOBODYS: Mapping[str, object] = {}
"""The profile of everybody who has none: what is equal is kept once."""

SCOPES: dict[str, type[Scope]] = {
    "session": OneSession,
    "sessions": OfSessions,
    "subject": OfSubject,
    "dialect": OfDialect,
    "tenant": OfTenant,
}
NAMES = {kind: name for name, kind in SCOPES.items()}

_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_profile = msgspec.json.Decoder(dict[str, object]).decode


def _subject_rest(one: Subject) -> Values:
    return (
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
        changed=row[6] if row[7] == row[6] else row[7],
        email=row[8],
        name=row[9],
        first_name=row[10],
        last_name=row[11],
        groups=_texts(row[12]),
        profile=NOBODYS if row[13] == "{}" else _profile(row[13]),
        totp_secret=row[14],
        totp_step=row[15],
        email_codes=bool(row[16]),
        backup_codes=_texts(row[17]),
        enabled=bool(row[18]),
    )


def _receipt_rest(one: Receipt) -> Values:
    by = one.revocation
    told = (by.at, by.why, by.by, by.by_name, by.reason, by.via)
    return (scope_text(by.scope), *told, one.sessions_ended, one.complete)


def _receipt_of(row: Row) -> Receipt:
    revocation = Revocation(
        tenant=row[0],
        serial=row[1],
        id=row[2],
        scope=_scope(row[3]),
        at=row[4],
        why=EndReason(row[5]),
        by=row[6],
        by_name=row[7],
        reason=row[8],
        via=row[9],
    )
    return Receipt(revocation=revocation, sessions_ended=row[10], complete=bool(row[11]))


def scope_text(scope: Scope) -> str:
    return json({NAMES[type(scope)]: scope})


def _scope(text: str) -> Scope:
    ((name, fields),) = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()
    return msgspec.json.decode(fields, type=SCOPES[name])


TABLES: dict[type, Table] = {
    int: table(
        "tenants",
        "tenant | serial:n",
        lambda tenant, _: (tenant,),
        lambda serial: (serial,),
        lambda row: int(row[1]),
    ),
    Subject: table(
        "subjects",
        "tenant id | username password_hash role version:n created:n changed:n email name"
        " first_name last_name groups profile totp_secret totp_step:n email_codes:f"
        " backup_codes enabled:f",
        lambda tenant, one: (tenant, one.id),
        _subject_rest,
        _subject_of,
    ),
    Receipt: table(
        "revocations",
        "tenant serial:n id | scope at:n why by by_name reason via ended:n complete:f",
        lambda tenant, one: (tenant, one.revocation.serial, one.revocation.id),
        _receipt_rest,
        _receipt_of,
        "tenant serial",
    ),
    Strikes: table(
        "strikes",
        "tenant key | count:n since:n locked_until:n",
        lambda tenant, one: (tenant, one.key),
        lambda one: (one.count, one.since, one.locked_until),
        lambda row: Strikes(key=row[1], count=row[2], since=row[3], locked_until=row[4]),
    ),
    Code: table(
        "codes",
        "tenant subject purpose | mac expires:n tries_left:n",
        lambda tenant, one: (tenant, one.subject, one.purpose),
        lambda one: (one.mac, one.expires, one.tries_left),
        lambda row: Code(
            subject=row[1], purpose=row[2], mac=row[3], expires=row[4], tries_left=row[5]
        ),
    ),
}
