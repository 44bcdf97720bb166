"""Accounts, revocations, failed attempts and codes as rows."""

from collections.abc import Mapping
from sys import intern

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


_SUBJECT = (
    "tenant id | username password_hash role version:n created:n changed:n email name"
    " first_name last_name groups profile totp_secret totp_step:n email_codes:f"
    " backup_codes enabled:f"
)
"""The columns, which are called as the fields are."""

_FIELDS = [told.partition(":")[0] for told in _SUBJECT.split() if told != "|"]
_SLOTS = [vars(Subject)[name].__set__ for name in _FIELDS]
_TENANT, _ROLE, _CREATED, _CHANGED, _PROFILE = (
    _FIELDS.index(name) for name in ("tenant", "role", "created", "changed", "profile")
)
_LISTS = _FIELDS.index("groups"), _FIELDS.index("backup_codes")
_FLAGS = _FIELDS.index("email_codes"), _FIELDS.index("enabled")


def _subject_of(row: Row) -> Subject:
    """All of them are read at the start, and to fill the slots takes a third of the time that the
    `__init__` of a frozen dataclass takes."""
    values = list(row)
    values[_TENANT] = intern(row[_TENANT])
    values[_ROLE] = intern(row[_ROLE])
    if row[_CHANGED] == row[_CREATED]:
        values[_CHANGED] = row[_CREATED]
    values[_PROFILE] = NOBODYS if row[_PROFILE] == "{}" else _profile(row[_PROFILE])
    for lists in _LISTS:
        values[lists] = () if row[lists] == "[]" else _texts(row[lists])
    for flag in _FLAGS:
        values[flag] = bool(row[flag])
    one: Subject = object.__new__(Subject)
    for put, value in zip(_SLOTS, values, strict=True):
        put(one, value)
    return one


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
        _SUBJECT,
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
