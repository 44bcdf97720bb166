"""Mass logouts before they happen: previewed, planned, asked for once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lastcall.domain.selection import Selection
from lastcall.domain.types import (
    Instant,
    PlanId,
    PreviewId,
    ReceiptId,
    SessionId,
    SubjectId,
    TenantId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The exact set a selection named at `at`, which is what a logout by it ends.

    `counts` has users, sessions, applications and `cannot_be_told`; `muted` names the latter.
    `self_included` and `last_admin` warn whoever is about to log themselves or everybody's last
    administrator out.
    """

    id: PreviewId
    tenant: TenantId
    by: SubjectId | None
    by_name: str
    at: Instant
    selection: Selection
    sessions: tuple[SessionId, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    muted: tuple[str, ...] = ()
    self_included: bool = False
    last_admin: bool = False
    expires: Instant


class PlanState(StrEnum):
    """`WAITING` for a second person; `SCHEDULED` for its time.

    `REFUSED`: when its time came, who asked or who approved might not any more.
    """

    WAITING = "waiting"
    SCHEDULED = "scheduled"
    DONE = "done"
    CANCELLED = "cancelled"
    REFUSED = "refused"


OPEN_PLANS = frozenset({PlanState.WAITING, PlanState.SCHEDULED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A mass logout that was asked for and waits. It keeps its preview, which may expire."""

    id: PlanId
    tenant: TenantId
    state: PlanState
    preview: Preview
    by: SubjectId | None
    by_name: str
    at: Instant
    reason: str
    start: Instant
    approved_by: SubjectId | None = None
    approved_by_name: str = ""
    receipt: ReceiptId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a request with an idempotency key came to. `key` and `body` are digests."""

    key: str
    body: str
    result: str
    at: Instant
