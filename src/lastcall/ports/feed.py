"""The revocation feed: what no answer remembered outside the store may rest on any longer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from lastcall.domain.types import DialectName, SessionId, SubjectId, TenantId, TokenHash

ScopeKey = SessionId | tuple[SubjectId | None, DialectName | None]
"""A scope without its tenant and exception: one session, or (subject or any, dialect or any)."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a feed has come. Two positions compare only within one epoch."""

    epoch: str
    seq: int


class Mark(NamedTuple):
    """Checks of this token, or of any session in this scope, may answer differently now."""

    tenant: TenantId
    about: TokenHash | ScopeKey


@dataclass(frozen=True, slots=True)
class Entry:
    """What one durable change made doubtful. Numbers that made nothing doubtful are left out."""

    seq: int
    marks: tuple[Mark, ...]


class Feed(Protocol):
    """Only what is durable, in order, without gaps, for as long as it is remembered."""

    @property
    def position(self) -> Position:
        """How far this node has come."""
        ...

    async def current(self) -> Position:
        """The position once everything acknowledged anywhere before this call is in it.

        Raises `StoreUnavailable` when that cannot be known.
        """
        ...

    def after(self, position: Position) -> Sequence[Entry] | None:
        """The later entries, oldest first; None when they are not known any more.

        Who gets None has to forget everything remembered, and go on from `position` as it is now.
        """
        ...

    async def beyond(self, position: Position) -> None:
        """Return once the feed is past `position`, which may be at once."""
        ...
