"""Deliveries: one client owed one notice, and the tries to hand it over."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from lastcall.domain.client import Client, Naming
from lastcall.domain.logout import Revocation
from lastcall.domain.session import Participant, Session
from lastcall.domain.types import (
    ClientId,
    Duration,
    Instant,
    ReceiptId,
    SessionId,
    SubjectId,
    TenantId,
    later,
)

DeliveryId = NewType("DeliveryId", str)


class DeliveryState(StrEnum):
    """How sure we are. The four of the way: queued, sent, acknowledged, verified; and the ends
    that are none: refused, unreachable, cannot be told."""

    QUEUED = "queued"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    VERIFIED = "verified"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CANNOT_BE_TOLD = "cannot-be-told"


class Outcome(StrEnum):
    """What one try came to. `UNKNOWN`: it went out and the answer was lost."""

    DONE = "done"
    UNKNOWN = "unknown"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try. `took` and `retry_after` in milliseconds; `dead` is what a probe saw, if any.

    `error` is a short reason of ours; nothing the receiver wrote is kept but its status.
    """

    delivery: DeliveryId
    number: int
    at: Instant
    took: Duration
    outcome: Outcome
    status: int = 0
    received: int = 0
    error: str = ""
    jti: str = ""
    dead: bool | None = None
    retry_after: Duration = Duration(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One client owed one notice. `id` stays the same over all tries, for receivers to know it by.

    `sid` (sealed) and `account` are the session's and the subject's names at the client.
    `next_at` is when the next try is due, None when there is none. `claimed_until` keeps other
    workers off, and a claim shows in `attempts`: whoever finishes a try must still find its own
    number there. `until` is when sessions that could not be ended there are over by themselves.
    """

    id: DeliveryId
    tenant: TenantId
    receipt: ReceiptId
    client: ClientId
    subject: SubjectId
    account: str
    sid: str = ""
    session: SessionId | None = None
    created: Instant
    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    next_at: Instant | None
    claimed_until: Instant = Instant(0)
    unknown: bool = False
    settled_at: Instant | None = None
    last_status: int = 0
    last_error: str = ""
    until: Instant | None = None


def delivery_id(
    receipt: ReceiptId, client: ClientId, subject: SubjectId, sid: str, account: str
) -> DeliveryId:
    """The same logout owes the same client the same notice once, however often it is computed.

    All that a notice names is in it: nobody can join under another's `sid` to swallow a notice.
    """
    text = f"{receipt}\0{client}\0{subject}\0{len(sid)}\0{sid}{account}"
    return DeliveryId("d_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32])


def owed(
    revocation: Revocation,
    session: Session,
    client: Client,
    joined: Participant | None,
    account: str,
    at: Instant | None = None,
) -> Delivery:
    """What the end of one session owes one client; from `at` on if not from the logout itself."""
    sid = joined.sid if joined and client.naming is not Naming.SUB else ""
    named = session.id if sid else None
    return _notice(revocation, client, session.subject, account, at, sid, named)


def owed_for_subject(
    revocation: Revocation,
    subject: SubjectId,
    client: Client,
    account: str,
    at: Instant | None = None,
) -> Delivery:
    """One notice for all that a subject has at a client."""
    return _notice(revocation, client, subject, account, at, "", None)


def _notice(
    revocation: Revocation,
    client: Client,
    subject: SubjectId,
    account: str,
    at: Instant | None,
    sid: str,
    session: SessionId | None,
) -> Delivery:
    told = client.can_be_told
    created = revocation.at if at is None else at
    return Delivery(
        id=delivery_id(revocation.id, client.id, subject, sid, account),
        tenant=revocation.tenant,
        receipt=revocation.id,
        client=client.id,
        subject=subject,
        account=account,
        sid=sid,
        session=session,
        created=created,
        state=DeliveryState.QUEUED if told else DeliveryState.CANNOT_BE_TOLD,
        next_at=revocation.at if told else None,
        settled_at=None if told else created,
        until=later(revocation.at, client.outlives),
    )
