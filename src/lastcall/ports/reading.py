"""What a store is asked and answers: a token found, sessions listed."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, NamedTuple, Protocol

from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import (
    DialectName,
    Instant,
    Kind,
    Serial,
    SubjectId,
)


class Found(NamedTuple):
    """One consistent look at a token: its session, its subject, and what covers the session."""

    session: Session
    subject: Subject
    revoked_before: Serial


class Era(Protocol):
    """How long an answer stands.

    The number is another one after every change of what checks look at, but for last uses; and
    another while nothing may be answered without looking.
    """

    @property
    def number(self) -> int: ...


class MustWait(Enum):
    """What a look that does not wait answers where only waiting tells."""

    MUST_WAIT = "must wait"


MUST_WAIT: Final[Literal[MustWait.MUST_WAIT]] = MustWait.MUST_WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """Which sessions to list, newest first (by serial).

    `live_at` keeps only those that count at that instant; None lists tombstones as well.
    `text` matches, without regard to case, anywhere in `searchable(session)`; a session of one of
    `or_subjects` matches too. `before` is the serial to continue below; `offset` skips.
    """

    live_at: Instant | None = None
    subject: SubjectId | None = None
    dialect: DialectName | None = None
    kind: Kind | None = None
    address: str | None = None
    text: str = ""
    or_subjects: frozenset[SubjectId] = frozenset()
    before: Serial | None = None
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`total` counts all matches; `next` is the `before` of the following page, None at the end."""

    sessions: tuple[Session, ...]
    total: int
    next: Serial | None


def searchable(session: Session) -> str:
    """The text a session is searched by; addresses and hosts are not part of it."""
    device = session.device
    return f"{device.name}{device.type}{device.os_name}{session.id}{session.subject}"
