"""The authority's records as the native API shows them."""

from typing import Any

from lastcall.dialects.native import shapes
from lastcall.domain.factor import AMR
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Receipt,
    Scope,
)
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject, role_of, second_factors
from lastcall.wire import iso_time


def session_view(
    session: Session,
    *,
    current: bool = False,
    username: str | None = None,
    csrf: str | None = None,
) -> shapes.Session:
    device, end = session.device, session.ended
    return shapes.Session(
        id=session.id,
        subject=session.subject,
        tenant=session.tenant,
        dialect=session.dialect,
        kind=session.kind,
        address=session.address,
        created=iso_time(session.created),
        last_seen=iso_time(session.last_seen),
        deadline=iso_time(session.deadline),
        expires=iso_time(session.expires),
        factors=tuple(
            shapes.Factor(method=factor.method, at=iso_time(factor.at))
            for factor in session.factors
        ),
        username=username,
        impersonator=session.impersonator,
        current=current,
        user_agent=session.user_agent,
        device=shapes.Device(
            type=device.type,
            name=device.name,
            version=device.version,
            os_name=device.os_name,
            os_version=device.os_version,
        ),
        ended=shapes.End(at=iso_time(end.at), why=end.why, by=end.by) if end else None,
        csrf=csrf,
    )


def account_view(subject: Subject) -> shapes.Account:
    role = role_of(subject)
    return shapes.Account(
        subject=subject.id,
        tenant=subject.tenant,
        username=subject.username,
        name=subject.display_name,
        email=subject.email,
        role=role.name,
        rank=role.rank.name.lower(),
        permissions=tuple(sorted(role.permissions)),
        groups=subject.groups,
        second_factors=second_factors(subject),
    )


def receipt_view(receipt: Receipt) -> shapes.Receipt:
    return shapes.Receipt(**receipt_fields(receipt))


def receipt_fields(receipt: Receipt) -> dict[str, Any]:
    rule = receipt.revocation
    return {
        "id": rule.id,
        "at": iso_time(rule.at),
        "scope": _scope_view(rule.scope),
        "why": rule.why,
        "by": rule.by,
        "by_name": rule.by_name,
        "reason": rule.reason,
        "via": rule.via,
        "sessions_ended": receipt.sessions_ended,
        "complete": receipt.complete,
    }


def _scope_view(scope: Scope) -> shapes.ReceiptScope:
    match scope:
        case OneSession(session=one):
            return shapes.ReceiptScope(kind="session", session=one)
        case OfSessions(sessions=some):
            return shapes.ReceiptScope(kind="sessions", sessions=len(some))
        case OfSubject(subject=subject, dialect=dialect, keep=keep):
            return shapes.ReceiptScope(kind="subject", subject=subject, dialect=dialect, keep=keep)
        case OfDialect(dialect=dialect):
            return shapes.ReceiptScope(kind="dialect", dialect=dialect)
        case OfTenant(keep=keep):
            return shapes.ReceiptScope(kind="tenant", keep=keep)


def amr_of(session: Session) -> tuple[str, ...]:
    """RFC 8176: the ways in, and `mfa` when there was more than one."""
    ways = tuple(dict.fromkeys(AMR[factor.method] for factor in session.factors))
    return (*ways, "mfa") if len({factor.method for factor in session.factors}) > 1 else ways
