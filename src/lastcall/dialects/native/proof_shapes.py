"""What the native API tells of receipts, of people's status and of the audit log."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from lastcall.dialects.native.shapes import Asked, ReceiptScope, Time, Told

Counts = Annotated[
    Mapping[str, int],
    Meta(
        description="By state: queued, sent, acknowledged, verified, refused, unreachable,"
        " cannot-be-told. States without any are left out."
    ),
]


class Nothing(Asked, frozen=True, kw_only=True):
    """No parameters: what is the same for everybody is cached under one address."""


class ReceiptQuery(Asked, frozen=True, kw_only=True):
    """`wait` in seconds: answer once the receipt is finished, or when they are over."""

    wait: Annotated[int, Meta(ge=0, le=60)] = 0
    after: Annotated[str, Meta(max_length=128)] = ""
    limit: Annotated[int, Meta(ge=0, le=1_000)] = 100


class AuditQuery(Asked, frozen=True, kw_only=True):
    """The records above `after`."""

    after: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 1_000


class Authority(Told, frozen=True, kw_only=True):
    """`as` is session, credentials, operator, service, account or rule (of the house)."""

    as_: str = msgspec.field(name="as")
    dialect: str
    role: str | None = None
    session: str | None = None
    impersonator: str | None = None


class Node(Told, frozen=True, kw_only=True):
    """When the node had applied it, or since when it could answer nothing; neither is known of a
    node that had come further before the one that is asked looked."""

    node: str
    applied_at: Time | None = None
    lapsed_at: Time | None = None
    pending: bool | None = None


class Application(Told, frozen=True, kw_only=True):
    """`name` and `can` are missing once the application has been removed."""

    id: str
    states: Counts
    total: int
    name: str | None = None
    can: str | None = None


class Attempt(Told, frozen=True, kw_only=True):
    """`dead` is what a look afterwards saw: true, the session is gone there."""

    number: int
    at: Time
    took_ms: int
    outcome: str
    status: int | None = None
    error: str | None = None
    dead: bool | None = None


class Delivery(Told, frozen=True, kw_only=True):
    """`until` is when what could not be ended there is over by itself."""

    id: str
    application: str
    subject: str
    account: str
    state: str
    tries: int
    created: Time
    name: str | None = None
    session: str | None = None
    next_try: Time | None = None
    settled_at: Time | None = None
    last_status: int | None = None
    last_error: str | None = None
    until: Time | None = None


class TriedDelivery(Delivery, frozen=True, kw_only=True):
    attempts: tuple[Attempt, ...]


class ReceiptView(Told, frozen=True, kw_only=True):
    """`finished` once nothing of it will change any more; then it can be had signed.

    `everyone_out_at` when every application has obeyed; otherwise `left` is what has not. The
    totals and `left_total` are of all deliveries; `deliveries` is a page, continued by `next`.
    """

    id: str
    tenant: str
    at: Time
    scope: ReceiptScope
    words: Annotated[str, Meta(description="The scope, for a person.")]
    why: str
    by_name: str
    authority: Authority
    reason: str
    via: str
    sessions_ended: int
    complete: bool
    mode: str
    nodes: tuple[Node, ...]
    finished: bool
    verdict: str
    totals: Counts
    applications: tuple[Application, ...]
    deliveries: tuple[TriedDelivery, ...]
    left: tuple[Delivery, ...]
    left_total: int
    by: str | None = None
    certainty: str | None = None
    everyone_out_at: Time | None = None
    everyone_out_after_ms: int | None = None
    tokens_until: Time | None = None
    next: str | None = None


class Status(Told, frozen=True, kw_only=True):
    """`out` when no session lives here and nothing is `left` elsewhere, `since` then."""

    subject: str
    username: str
    at: Time
    out: bool
    sessions: int
    left: tuple[Delivery, ...]
    since: Time | None = None
    last_token_until: Time | None = None


class Head(Told, frozen=True, kw_only=True):
    """`signed` is a compact JWS whose payload says the same."""

    seq: int
    digest: str
    at: int
    signed: str


class Keys(Told, frozen=True, kw_only=True):
    """RFC 7517: the keys signatures are checked with, retired ones and the next ones included."""

    keys: tuple[Mapping[str, Any], ...]
