"""Audit: what happened, chained so that an altered, dropped or reordered record shows."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lastcall.domain.access import Caller
from lastcall.domain.origin import Origin
from lastcall.domain.types import Instant, SubjectId, TenantId


class Action(StrEnum):
    LOGIN = "login"
    REFRESH = "refresh"
    LOGOUT = "logout"
    STEP_UP = "step-up"
    LIST = "list"
    SWEEP = "sweep"
    EXPIRE = "expire"
    PRUNE = "prune"
    DELIVERY = "delivery"
    CODE_SENT = "code-sent"
    LOCKED_OUT = "locked-out"
    SUBJECT_ADDED = "subject-added"
    SUBJECT_CHANGED = "subject-changed"
    SUBJECT_REMOVED = "subject-removed"
    STORE_RESTORED = "store-restored"


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of state or one refusal. `target` is an id or a scope in words, never a secret.

    `code` is the refusal's stable code, or the reason of the change; `detail` holds short texts.
    """

    at: Instant
    tenant: TenantId
    action: Action
    outcome: Outcome
    origin: Origin
    actor: SubjectId
    actor_name: str
    target: str = ""
    code: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event at its place in the chain; `digest` covers the event, `seq` and `previous`."""

    seq: int
    event: Event
    previous: bytes
    digest: bytes


GENESIS = bytes(32)


def event_by(
    caller: Caller,
    at: Instant,
    action: Action,
    outcome: Outcome = Outcome.DONE,
    *,
    target: str = "",
    code: str = "",
    detail: Mapping[str, str] | None = None,
) -> Event:
    return Event(
        at=at,
        tenant=caller.tenant,
        action=action,
        outcome=outcome,
        origin=caller.origin,
        actor=caller.subject,
        actor_name=caller.username,
        target=target,
        code=code,
        detail=detail or {},
    )


def canonical(seq: int, event: Event) -> bytes:
    """The bytes the chain is computed over: JSON with sorted keys, no spaces, UTF-8."""
    origin = event.origin
    body = {
        "seq": seq,
        "at": event.at,
        "tenant": event.tenant,
        "action": event.action,
        "outcome": event.outcome,
        "actor": event.actor,
        "actor_name": event.actor_name,
        "target": event.target,
        "code": event.code,
        "detail": dict(event.detail),
        "dialect": origin.dialect,
        "address": origin.address,
        "request_id": origin.request_id,
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def chained(seq: int, previous: bytes, event: Event) -> Record:
    digest = hashlib.sha256(previous + canonical(seq, event)).digest()
    return Record(seq=seq, event=event, previous=previous, digest=digest)
