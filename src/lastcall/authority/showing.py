"""Showing: a receipt and a status as plain values, the same on every wire and under a signature."""

from collections.abc import Mapping

from lastcall.authority.showing_parts import (
    Shown,
    in_words,
    present,
    shown_attempt,
    shown_delivery,
    shown_node,
    shown_scope,
    time,
)
from lastcall.authority.status import Status
from lastcall.domain.delivery import DeliveryState
from lastcall.domain.logout import Revocation
from lastcall.domain.tally import NOT_WELL, Application, ReceiptView
from lastcall.domain.types import iso_time

RIGHT = ("as", "role", "session", "impersonator")
"""What an audit record tells of the right by which something was asked."""


def shown_receipt(view: ReceiptView) -> Shown:
    """Members with nothing to say are left out."""
    rule = view.receipt.revocation
    names = {one.id: one.name for one in view.applications}
    return present(
        id=rule.id,
        tenant=rule.tenant,
        at=iso_time(rule.at),
        scope=shown_scope(rule.scope),
        words=in_words(rule.scope),
        why=str(rule.why),
        by=rule.by,
        by_name=rule.by_name,
        authority=_authority(view),
        reason=rule.reason,
        via=rule.via,
        sessions_ended=view.receipt.sessions_ended,
        complete=view.receipt.complete,
        mode=view.spread.mode,
        nodes=[shown_node(one) for one in view.spread.nodes],
        finished=view.finished,
        verdict=verdict(view),
        certainty=str(view.certainty) if view.certainty else None,
        everyone_out_at=time(view.everyone_out_at),
        everyone_out_after_ms=view.everyone_out_after,
        tokens_until=time(view.lingering_until),
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


def shown_status(status: Status) -> Shown:
    return present(
        subject=status.subject,
        username=status.username,
        at=iso_time(status.now),
        out=status.out,
        since=time(status.since),
        sessions=len(status.live),
        left=[shown_delivery(one, status.names) for one in status.left],
        last_token_until=time(status.last_token_until),
    )


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
    return present(
        id=one.id,
        name=one.name or None,
        can=str(one.client.can) if one.client else None,
        states=_states(one.states),
        total=sum(one.states.values()),
    )


def _states(states: Mapping[DeliveryState, int]) -> Mapping[str, int]:
    return {str(state): states[state] for state in DeliveryState if states.get(state)}
