"""Showing: a receipt and a status as plain values, the same on every wire and under a signature."""

from collections.abc import Mapping
from typing import Any, assert_never

from lastcall.authority.status import Status
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Revocation,
    Scope,
)
from lastcall.domain.tally import NOT_WELL, Application, ReceiptView
from lastcall.domain.types import ClientId, Instant, iso_time

Shown = dict[str, Any]

RIGHT = ("as", "role", "session", "impersonator")
"""What an audit record tells of the right by which something was asked."""

NODE = "this"
"""The name of the only node there is."""


def shown_receipt(view: ReceiptView) -> Shown:
    """Members with nothing to say are left out."""
    rule = view.receipt.revocation
    names = {one.id: one.name for one in view.applications}
    return _present(
        id=rule.id,
        tenant=rule.tenant,
        at=iso_time(rule.at),
        scope=_scope(rule.scope),
        words=in_words(rule.scope),
        why=str(rule.why),
        by=rule.by,
        by_name=rule.by_name,
        authority=_authority(view),
        reason=rule.reason,
        via=rule.via,
        sessions_ended=view.receipt.sessions_ended,
        complete=view.receipt.complete,
        nodes=[{"node": NODE, "applied_at": iso_time(rule.at)}],
        finished=view.finished,
        verdict=verdict(view),
        certainty=str(view.certainty) if view.certainty else None,
        everyone_out_at=_time(view.everyone_out_at),
        everyone_out_after_ms=view.everyone_out_after,
        tokens_until=_time(view.lingering_until),
        totals=_states(view.totals),
        applications=[_application(one) for one in view.applications],
        deliveries=[
            {
                **shown_delivery(one.delivery, names),
                "attempts": [shown_attempt(attempt) for attempt in one.attempts],
            }
            for one in view.tried
        ],
        next=view.next,
        left=[shown_delivery(one, names) for one in view.left],
        left_total=view.left_total,
    )


def verdict(view: ReceiptView) -> str:
    """One line for a person."""
    after = view.everyone_out_after
    if after is not None:
        how = f", {view.certainty} by every application" if view.certainty else ""
        return f"everyone out after {after / 1_000:.2f} s{how}"
    if not view.receipt.complete:
        return "refused everywhere here; sessions are still being ended one by one"
    if not view.left_total:
        until = view.lingering_until or view.now
        return f"every application told; tokens given out before live until {iso_time(until)}"
    counts = ", ".join(
        f"{count} {state}" for state, count in view.totals.items() if state in NOT_WELL
    )
    return f"out here; left elsewhere: {counts}"


def shown_delivery(delivery: Delivery, names: Mapping[ClientId, str]) -> Shown:
    return _present(
        id=delivery.id,
        application=delivery.client,
        name=names.get(delivery.client) or None,
        subject=delivery.subject,
        account=delivery.account,
        session=delivery.session,
        state=str(delivery.state),
        tries=delivery.attempts,
        created=iso_time(delivery.created),
        next_try=_time(delivery.next_at),
        settled_at=_time(delivery.settled_at),
        last_status=delivery.last_status or None,
        last_error=delivery.last_error or None,
        until=_time(delivery.until),
    )


def shown_attempt(attempt: Attempt) -> Shown:
    return _present(
        number=attempt.number,
        at=iso_time(attempt.at),
        took_ms=attempt.took,
        outcome=str(attempt.outcome),
        status=attempt.status or None,
        error=attempt.error or None,
        dead=attempt.dead,
    )


def shown_status(status: Status) -> Shown:
    return _present(
        subject=status.subject,
        username=status.username,
        at=iso_time(status.now),
        out=status.out,
        since=_time(status.since),
        sessions=len(status.live),
        left=[shown_delivery(one, status.names) for one in status.left],
        last_token_until=_time(status.last_token_until),
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


def _scope(scope: Scope) -> Shown:
    match scope:
        case OneSession(session=one):
            return {"kind": "session", "session": one}
        case OfSessions(sessions=some):
            return {"kind": "sessions", "sessions": len(some)}
        case OfSubject(subject=subject, dialect=dialect, keep=keep):
            return _present(kind="subject", subject=subject, dialect=dialect, keep=keep)
        case OfDialect(dialect=dialect):
            return {"kind": "dialect", "dialect": dialect}
        case OfTenant(keep=keep):
            return _present(kind="tenant", keep=keep)
        case _:
            assert_never(scope)


def _authority(view: ReceiptView) -> Shown:
    """By what right it was asked, as the audit record has it; a rule of the house needs none."""
    rule = view.receipt.revocation
    detail = view.record.event.detail if view.record else {}
    if "as" in detail:
        found = {name: detail[name] for name in RIGHT if name in detail}
    else:
        found = {"as": _asker(rule)}
    return {**found, "dialect": rule.via}


def _asker(rule: Revocation) -> str:
    if rule.by is not None:
        return "account"
    return "operator" if rule.by_name else "rule"


def _application(one: Application) -> Shown:
    return _present(
        id=one.id,
        name=one.name or None,
        can=str(one.client.can) if one.client else None,
        states=_states(one.states),
        total=sum(one.states.values()),
    )


def _states(states: Mapping[DeliveryState, int]) -> Mapping[str, int]:
    return {str(state): states[state] for state in DeliveryState if states.get(state)}


def _time(at: Instant | None) -> str | None:
    return None if at is None else iso_time(at)


def _present(**members: Any) -> Shown:
    return {name: value for name, value in members.items() if value is not None}
