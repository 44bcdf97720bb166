"""Showing, in parts: scopes, deliveries and tries as plain values, and scopes in words."""

from collections.abc import Mapping
from typing import Any, assert_never

from lastcall.domain.delivery import Attempt, Delivery
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Reached,
    Scope,
)
from lastcall.domain.types import ClientId, Instant, iso_time

Shown = dict[str, Any]


def shown_delivery(delivery: Delivery, names: Mapping[ClientId, str]) -> Shown:
    return present(
        id=delivery.id,
        application=delivery.client,
        name=names.get(delivery.client) or None,
        subject=delivery.subject,
        account=delivery.account,
        session=delivery.session,
        state=str(delivery.state),
        tries=delivery.attempts,
        created=iso_time(delivery.created),
        next_try=time(delivery.next_at),
        settled_at=time(delivery.settled_at),
        last_status=delivery.last_status or None,
        last_error=delivery.last_error or None,
        until=time(delivery.until),
    )


def shown_attempt(attempt: Attempt) -> Shown:
    return present(
        number=attempt.number,
        at=iso_time(attempt.at),
        took_ms=attempt.took,
        outcome=str(attempt.outcome),
        status=attempt.status or None,
        error=attempt.error or None,
        dead=attempt.dead,
    )


def in_words(scope: Scope) -> str:
    match scope:
        case OneSession(session=one):
            return f"the session {one}"
        case OfSessions(sessions=some):
            return f"{len(some)} sessions, named one by one"
        case OfSubject(subject=subject, dialect=dialect, keep=keep):
            where = f" begun at {dialect}" if dialect else ""
            return f"every session of the account {subject}{where}{_but(keep)}"
        case OfDialect(dialect=dialect):
            return f"every session begun at {dialect}"
        case OfTenant(keep=keep):
            return f"every session of everybody{_but(keep)}"
        case _:
            assert_never(scope)


def _but(keep: str | None) -> str:
    return f", but for the session {keep}" if keep else ""


def shown_scope(scope: Scope) -> Shown:
    match scope:
        case OneSession(session=one):
            return {"kind": "session", "session": one}
        case OfSessions(sessions=some):
            return {"kind": "sessions", "sessions": len(some)}
        case OfSubject(subject=subject, dialect=dialect, keep=keep):
            return present(kind="subject", subject=subject, dialect=dialect, keep=keep)
        case OfDialect(dialect=dialect):
            return {"kind": "dialect", "dialect": dialect}
        case OfTenant(keep=keep):
            return present(kind="tenant", keep=keep)
        case _:
            assert_never(scope)


def shown_node(one: Reached) -> Shown:
    return present(
        node=one.node,
        applied_at=time(one.applied_at),
        lapsed_at=time(one.lapsed_at),
        pending=one.pending or None,
    )


def time(at: Instant | None) -> str | None:
    return None if at is None else iso_time(at)


def present(**members: Any) -> Shown:
    return {name: value for name, value in members.items() if value is not None}
