"""Marks: what the revocations of a tenant leave behind for every check to look at."""

from bisect import insort
from collections.abc import Iterable

from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Revocation,
    Scope,
)
from lastcall.domain.session import Session
from lastcall.domain.types import Serial, SessionId
from lastcall.ports.feed import ScopeKey

Mark = tuple[Serial, SessionId | None]
"""One revocation of a scope: its serial, and the session it spares."""


def keys_of(scope: Scope) -> Iterable[ScopeKey]:
    match scope:
        case OneSession(session=one):
            return (one,)
        case OfSessions(sessions=some):
            return some
        case OfSubject(subject=subject, dialect=dialect):
            return ((subject, dialect),)
        case OfDialect(dialect=dialect):
            return ((None, dialect),)
        case OfTenant():
            return ((None, None),)


def scope_keys(session: Session) -> tuple[ScopeKey, ...]:
    """The keys of every scope the session can be in."""
    subject, dialect, sitter = session.subject, session.dialect, session.impersonator
    keys = (None, None), (None, dialect), (subject, None), (subject, dialect), session.id
    return keys if sitter is None else (*keys, (sitter, None), (sitter, dialect))


class Line:
    """The marks of one scope, in order, and the two that decide.

    Those are the newest, and for the session it spares the newest that does not spare that one:
    so a check costs the same however often somebody has logged out all other sessions.
    """

    __slots__ = ("first", "marks", "second")

    def __init__(self, mark: Mark) -> None:
        self.marks = [mark]
        self.first = mark
        self.second = Serial(0)

    def add(self, mark: Mark) -> None:
        if mark < self.first:
            insort(self.marks, mark, key=_number)
            self._decide()
            return
        self.marks.append(mark)
        if mark[1] != self.first[1]:
            self.second = self.first[0]
        self.first = mark

    def remove(self, mark: Mark) -> None:
        """Leaves at least one; the last goes with its line."""
        self.marks.remove(mark)
        if mark[0] >= self.second:
            self._decide()

    def _decide(self) -> None:
        self.first = self.marks[-1]
        others = (serial for serial, keep in reversed(self.marks) if keep != self.first[1])
        self.second = next(others, Serial(0))

    def over(self, session: SessionId) -> Serial:
        serial, keep = self.first
        return serial if keep != session else self.second


class Marks:
    def __init__(self) -> None:
        self._lines: dict[ScopeKey, Line] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, revocation: Revocation) -> None:
        mark = _mark(revocation)
        for key in keys_of(revocation.scope):
            line = self._lines.get(key)
            if line is None:
                self._lines[key] = Line(mark)
            else:
                line.add(mark)

    def remove(self, revocation: Revocation) -> None:
        mark = _mark(revocation)
        for key in keys_of(revocation.scope):
            line = self._lines[key]
            if line.marks == [mark]:
                del self._lines[key]
            else:
                line.remove(mark)

    def covered_by(self, session: Session) -> Serial:
        """The highest serial of the revocations in whose scope the session is."""
        highest = Serial(0)
        lines = self._lines
        if lines:
            for key in scope_keys(session):
                line = lines.get(key)
                if line is not None:
                    highest = max(highest, line.over(session.id))
        return highest

    def highest(self, keys: Iterable[ScopeKey]) -> Serial:
        """Of all revocations of these scopes, whomever they spare."""
        lines = (self._lines.get(key) for key in keys)
        return max((line.first[0] for line in lines if line is not None), default=Serial(0))

    def copy(self) -> dict[ScopeKey, tuple[Mark, ...]]:
        return {key: tuple(line.marks) for key, line in self._lines.items()}


def _mark(revocation: Revocation) -> Mark:
    scope = revocation.scope
    spared = scope.keep if isinstance(scope, OfSubject | OfTenant) else None
    return revocation.serial, spared


def _number(mark: Mark) -> Serial:
    return mark[0]
