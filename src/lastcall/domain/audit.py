"""Audit: what happened, chained so that an altered, dropped or reordered record shows."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lastcall.domain.access import Caller
from lastcall.domain.canonical import canonical
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
    PREVIEW = "preview"
    PLANNED = "logout-planned"
    APPROVED = "logout-approved"
    CANCELLED = "logout-cancelled"
    CODE_SENT = "code-sent"
    JOINED = "joined"
    CLIENT_ADDED = "client-added"
    CLIENT_CHANGED = "client-changed"
    CLIENT_REMOVED = "client-removed"
    CLIENT_TESTED = "client-tested"
    ACCOUNT_LISTED = "account-listed"
    REDELIVERED = "redelivered"
    SUBJECT_ADDED = "subject-added"
    SUBJECT_CHANGED = "subject-changed"
    SUBJECT_REMOVED = "subject-removed"
    IMPERSONATED = "impersonated"
    KEYS_ROTATED = "keys-rotated"
    BACKED_UP = "backed-up"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A place in the chain: the record itself, or for another tenant's only what stands for it."""

    seq: int
    previous: bytes
    content: bytes
    digest: bytes
    record: Record | None


GENESIS = bytes(32)


def link_of(record: Record, reader: TenantId) -> Link:
    """The record as `reader` may see it."""
    return Link(
        seq=record.seq,
        previous=record.previous,
        content=content_of(body_of(record.seq, record.event)),
        digest=record.digest,
        record=record if record.event.tenant == reader else None,
    )


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
    """Whoever sits in somebody else's session is named beside whose it is."""
    told = dict(detail or {})
    if caller.impersonator is not None:
        told["impersonator"] = caller.impersonator
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
        detail=told,
    )


def body_of(seq: int, event: Event) -> dict[str, object]:
    """What a record says, by the names its digest is computed over."""
    origin = event.origin
    return {
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


def content_of(body: Mapping[str, object]) -> bytes:
    """What stands for a record that is not shown."""
    return hashlib.sha256(canonical(body)).digest()


def digest_of(previous: bytes, content: bytes) -> bytes:
    """Two steps, so that the chain can be checked across records that are not shown."""
    return hashlib.sha256(previous + content).digest()


def chained(seq: int, previous: bytes, event: Event) -> Record:
    digest = digest_of(previous, content_of(body_of(seq, event)))
    return Record(seq=seq, event=event, previous=previous, digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """How far the chain had come at an instant; `signed` is a compact JWS that says the same."""

    seq: int
    digest: bytes
    at: Instant
    signed: str
