"""Rows to put into a store, each different by its number and alike in everything not asked for."""

import hashlib
from typing import Any

from lastcall.domain.access import operator
from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Action, Event, event_by
from lastcall.domain.client import Ability, AccountRule, Client, Naming
from lastcall.domain.delivery import Attempt, Delivery, DeliveryId, Outcome
from lastcall.domain.factor import Factor, Method
from lastcall.domain.logout import OfTenant, Revocation, Scope
from lastcall.domain.origin import Origin
from lastcall.domain.plan import Plan, PlanState, Preview, Remembered
from lastcall.domain.selection import Selection
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
    PlanId,
    PreviewId,
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


def a_client(name: str = "shop", tenant: TenantId = ONE, **more: Any) -> Client:
    fields: dict[str, Any] = {
        "id": ClientId(f"c-{name}"),
        "owner": "sales",
        "connector": "webhook",
        "settings": {"url": "https://shop.example/logout"},
        "secrets": {"key": "sealed"},
        "can": Ability.SUBJECT,
        "naming": Naming.BOTH,
        "account": AccountRule.EMAIL,
        "always": True,
        "created": NOW,
        "changed": NOW,
    }
    return Client(tenant=tenant, name=name, **{**fields, **more})


def a_delivery(number: int = 1, tenant: TenantId = ONE, **more: Any) -> Delivery:
    """Its id is `dNUMBER`; it is due at `NOW` plus its number."""
    fields: dict[str, Any] = {
        "id": DeliveryId(f"d{number}"),
        "receipt": ReceiptId("r9"),
        "client": ClientId("c-shop"),
        "subject": ANN,
        "account": "ann@example.com",
        "sid": f"x{number}",
        "session": SessionId(f"s{number}"),
        "created": NOW,
        "next_at": Instant(NOW + number),
        "until": Instant(NOW + DAY),
    }
    return Delivery(tenant=tenant, **{**fields, **more})


def an_attempt(number: int = 1, delivery: str = "d1", **more: Any) -> Attempt:
    fields: dict[str, Any] = {
        "at": NOW,
        "took": Duration(12),
        "outcome": Outcome.RETRY,
        "status": 503,
        "received": 7,
        "error": "status 503",
        "jti": f"j{number}",
        "dead": False,
        "retry_after": Duration(1_000),
    }
    return Attempt(delivery=DeliveryId(delivery), number=number, **{**fields, **more})


def a_preview(id: str = "v", tenant: TenantId = ONE, **more: Any) -> Preview:
    fields: dict[str, Any] = {
        "by": ANN,
        "by_name": "ann",
        "at": NOW,
        "selection": Selection(dialects=frozenset({WEB}), older_than=MINUTE, factor=Method.TOTP),
        "sessions": (SessionId("s1"), SessionId("s2")),
        "counts": {"subjects": 1},
        "expires": Instant(NOW + MINUTE),
    }
    return Preview(id=PreviewId(id), tenant=tenant, **{**fields, **more})


def a_plan(id: str = "p", tenant: TenantId = ONE, **more: Any) -> Plan:
    fields: dict[str, Any] = {
        "state": PlanState.SCHEDULED,
        "preview": a_preview(tenant=tenant),
        "by": ANN,
        "by_name": "ann",
        "at": NOW,
        "reason": "incident",
        "start": Instant(NOW + MINUTE),
    }
    return Plan(id=PlanId(id), tenant=tenant, **{**fields, **more})


def a_memory(key: str = "k", **more: Any) -> Remembered:
    return Remembered(key=key, **{"body": "digest", "result": "r9", "at": NOW, **more})
