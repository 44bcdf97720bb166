"""Covering: which of the sessions that are held a revocation is about."""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Revocation,
    Scope,
)
from lastcall.index.held import Held


def below(covered: Revocation, rows: Iterable[Held]) -> Sequence[Held]:
    return [held for held in rows if held.serial < covered.serial]


def names(scope: Scope) -> Callable[[Held], bool]:
    """Whether a scope names a session, `covers` for what is held; its subject is known to fit."""
    match scope:
        case OneSession(session=one):
            return lambda held: held.id == one
        case OfSessions(sessions=some):
            return lambda held: held.id in some
        case OfSubject(dialect=None, keep=keep) | OfTenant(keep=keep):
            return lambda held: held.id != keep
        case OfSubject(dialect=dialect, keep=keep):
            return lambda held: held.profile.dialect == dialect and held.id != keep
        case OfDialect(dialect=dialect):
            return lambda held: held.profile.dialect == dialect
        case _:
            assert_never(scope)
