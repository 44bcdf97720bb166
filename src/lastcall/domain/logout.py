"""Logouts: whose sessions they cover, the rule they leave behind, and the receipt."""

from dataclasses import dataclass
from typing import assert_never

from lastcall.domain.session import End, Session
from lastcall.domain.types import (
    DialectName,
    EndReason,
    Instant,
    ReceiptId,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSession:
    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSessions:
    """Exactly these: what a preview showed, what a rule of the house found."""

    sessions: frozenset[SessionId]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSubject:
    """All of a subject's sessions, or those of one dialect, but for the one to `keep`.

    Also those in which the subject sits in somebody else's place: they last no longer than the
    right to.
    """

    subject: SubjectId
    dialect: DialectName | None = None
    keep: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDialect:
    dialect: DialectName


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTenant:
    """Everybody in the tenant, but for the session to `keep`."""

    keep: SessionId | None = None


Scope = OneSession | OfSessions | OfSubject | OfDialect | OfTenant


def covers(scope: Scope, session: Session) -> bool:
    """Whether the scope names the session, whatever its serial. Tenants are never crossed."""
    match scope:
        case OneSession(session=one):
            return session.id == one
        case OfSessions(sessions=some):
            return session.id in some
        case OfSubject(subject=subject, dialect=dialect, keep=keep):
            return (
                subject in (session.subject, session.impersonator)
                and (dialect is None or session.dialect == dialect)
                and session.id != keep
            )
        case OfDialect(dialect=dialect):
            return session.dialect == dialect
        case OfTenant(keep=keep):
            return session.id != keep
        case _:
            assert_never(scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The rule a logout leaves: sessions in `scope` numbered below `serial` do not count.

    `by` is None when a rule of the house asked (expiry, a cap). `id` is also the receipt's.
    """

    id: ReceiptId
    tenant: TenantId
    scope: Scope
    serial: Serial
    at: Instant
    why: EndReason
    by: SubjectId | None
    by_name: str
    reason: str
    via: DialectName

    def ends(self, session: Session) -> bool:
        return (
            session.tenant == self.tenant
            and session.serial < self.serial
            and covers(self.scope, session)
        )

    def end(self) -> End:
        return End(at=self.at, why=self.why, by=self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """When one node had applied it, or since when that node could answer nothing from memory.

    `pending` is a node that may still answer and is not known to have applied it. Of a node that
    had come further before anybody looked nothing more is known.
    """

    node: str
    applied_at: Instant | None = None
    lapsed_at: Instant | None = None
    pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far a logout has come among the nodes, as the one that is asked knows it.

    `mode` is what its answer waited for: `single` where there is one node, `strict` for every node
    that could answer, `leased` for none but the record.
    """

    mode: str
    nodes: tuple[Reached, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was asked and what has been done. `complete` once every covered row is ended.

    The covered sessions are refused from the revocation's own commit on, complete or not.
    """

    revocation: Revocation
    sessions_ended: int
    complete: bool
