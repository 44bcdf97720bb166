"""Rows to put into a store, each different by its number and alike in everything not asked for."""

import hashlib
from typing import Any

from lastcall.domain.access import operator
from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Action, Event, event_by
from lastcall.domain.factor import Factor, Method
from lastcall.domain.logout import OfTenant, Revocation, Scope
from lastcall.domain.origin import Origin
from lastcall.domain.session import Device, End, Participant, Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import (
    DAY,
    MINUTE,
    ClientId,
    DialectName,
    Duration,
    EndReason,
    Instant,
    Kind,
    ReceiptId,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
)
from lastcall.ports import Store, Transaction

ONE, TWO = TenantId("one"), TenantId("two")
NOW = Instant(1_700_000_000_000)
IDLE = Duration(30 * MINUTE)
ANN, BOB = SubjectId("ann"), SubjectId("bob")
WEB, APP = DialectName("web"), DialectName("app")
GONE = End(at=NOW, why=EndReason.LOGOUT, by=ANN)


def hashed(text: str) -> TokenHash:
    return TokenHash(hashlib.sha256(text.encode()).digest())


def a_subject(name: str = "ann", tenant: TenantId = ONE, **more: Any) -> Subject:
    fields: dict[str, Any] = {
        "id": SubjectId(name),
        "username": name,
        "password_hash": "$hash",
        "role": "monitor",
        "version": Serial(0),
        "created": NOW,
        "changed": NOW,
        "email": f"{name}@example.com",
        "groups": ("g", "h"),
        "profile": {"tenant": {"code": "TEST"}},
        "backup_codes": ("mac1", "mac2"),
    }
    return Subject(tenant=tenant, **{**fields, **more})


def a_session(number: int, tenant: TenantId = ONE, **more: Any) -> Session:
    """Its id is `sNUMBER` and its token `TENANT:NUMBER`, so ids collide between tenants."""
    fields: dict[str, Any] = {
        "id": SessionId(f"s{number}"),
        "subject": ANN,
        "token_hash": hashed(f"{tenant}:{number}"),
        "serial": Serial(number),
        "dialect": WEB,
        "kind": Kind.BROWSER,
        "address": "192.0.2.7",
        "port": 4711,
        "host": "login.example",
        "user_agent": "Mozilla/5.0 (X11)",
        "device": Device(type="browser", name="Firefox", os_name="Linux"),
        "factors": (Factor(method=Method.PASSWORD, at=NOW, context="here"),),
        "created": NOW,
        "last_seen": NOW,
        "idle": IDLE,
        "expires": Instant(NOW + DAY),
        "participants": (Participant(client=ClientId("c"), sid="x", account="a"),),
    }
    return Session(tenant=tenant, **{**fields, **more})


def token_of(number: int, tenant: TenantId = ONE) -> TokenHash:
    return hashed(f"{tenant}:{number}")


def a_revocation(serial: int, scope: Scope | None = None, **more: Any) -> Revocation:
    fields: dict[str, Any] = {
        "id": ReceiptId(f"r{serial}"),
        "tenant": ONE,
        "serial": Serial(serial),
        "at": NOW,
        "why": EndReason.REVOKED,
        "by": ANN,
        "by_name": "ann",
        "reason": "leaving",
        "via": WEB,
    }
    return Revocation(scope=scope or OfTenant(), **{**fields, **more})


def an_event(target: str, tenant: TenantId = ONE) -> Event:
    origin = Origin(dialect=WEB, address="192.0.2.7", port=9, host="h", user_agent="ua")
    who = operator(tenant, origin)
    return event_by(who, NOW, Action.LOGIN, target=target, detail={"key": "value"})


def some_strikes(key: str = "k", count: int = 1, **more: Any) -> Strikes:
    return Strikes(key=key, count=count, **{"since": NOW, **more})


def a_code(subject: SubjectId = ANN, purpose: str = "login", **more: Any) -> Code:
    fields: dict[str, Any] = {"mac": "mac", "expires": Instant(NOW + MINUTE), "tries_left": 3}
    return Code(subject=subject, purpose=purpose, **{**fields, **more})


async def serials_up_to(tx: Transaction, number: int) -> None:
    while await tx.serial() < number:
        await tx.next_serial()


async def fill(store: Store, sessions: int = 3, tenant: TenantId = ONE) -> None:
    """Subjects ann and bob, and ann's sessions s1, s2 ..."""
    async with store.transaction(tenant) as tx:
        await tx.add_subject(a_subject("ann", tenant))
        await tx.add_subject(a_subject("bob", tenant))
        for number in range(1, sessions + 1):
            await serials_up_to(tx, number)
            await tx.add_session(a_session(number, tenant))
