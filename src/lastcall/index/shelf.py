"""A shelf: all rows of one tenant, and the ways to find them.

Every `place_` method takes a row from one state to another (None: absent) and keeps each way of
finding it in step, so that placing the other way round undoes it exactly.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.delivery import DeliveryState
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Receipt,
    Revocation,
    Scope,
)
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import (
    DialectName,
    Instant,
    ReceiptId,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
)
from lastcall.index.intentions import Intentions
from lastcall.index.outbox import DueQueue, Outbox
from lastcall.index.wheel import Wheel
from lastcall.ports.feed import ScopeKey

Mark = tuple[Serial, SessionId | None]
"""One revocation of a scope: its serial, and the session it spares."""


class Held:
    """A session's place in memory; `session` is replaced as it changes."""

    __slots__ = ("gone", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.gone = False

    @property
    def serial(self) -> Serial:
        return self.session.serial


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


def spared(scope: Scope) -> SessionId | None:
    return scope.keep if isinstance(scope, OfSubject | OfTenant) else None


class Shelf:
    """What it is made of is shared by the shelves of an index."""

    def __init__(
        self,
        tokens: dict[TokenHash, Held],
        deadlines: Wheel[Held],
        owing: dict[tuple[TenantId, ReceiptId], None],
        queue: DueQueue,
        depth: Counter[DeliveryState],
    ) -> None:
        self.serial = Serial(0)
        self.subjects: dict[SubjectId, Subject] = {}
        self.names: dict[str, SubjectId] = {}
        self.emails: dict[str, tuple[SubjectId, ...]] = {}
        self.sessions: dict[SessionId, Held] = {}
        self.refresh: dict[TokenHash, Held] = {}
        self.unended: dict[SubjectId, tuple[Held, ...]] = {}
        self.sitting: dict[SubjectId, tuple[Held, ...]] = {}
        self.over: dict[SubjectId, list[Held]] = {}
        self.live = 0
        self.receipts: dict[ReceiptId, Receipt] = {}
        self.marks: dict[ScopeKey, tuple[Mark, ...]] = {}
        self.swept: dict[ReceiptId, Serial] = {}
        self.strikes: dict[str, Strikes] = {}
        self.codes: dict[tuple[SubjectId, str], Code] = {}
        self.outbox = Outbox(queue, depth)
        self.intentions = Intentions()
        self.graves: Wheel[Held] = Wheel()
        self.old_receipts: Wheel[ReceiptId] = Wheel()
        self.old_strikes: Wheel[str] = Wheel()
        self.old_codes: Wheel[tuple[SubjectId, str]] = Wheel()
        self._tokens = tokens
        self._deadlines = deadlines
        self._owing = owing
        self._order: list[Held] = []
        self._removed = 0

    # --- sessions ---

    def place_session(self, before: Session | None, after: Session | None) -> None:
        if before is not None:
            held = self.sessions[before.id]
            self._unlink(held, before)
        elif after is not None:
            held = self.sessions[after.id] = Held(after)
            insort(self._order, held, key=_serial)
        if after is not None:
            held.session = after
            self._link(held, after)
            if after.ended is not None:
                self.graves.add(held, after.ended.at)
            elif before is None or before.ended is not None:
                self._deadlines.add(held, after.deadline)
        elif before is not None:
            del self.sessions[before.id]
            held.gone = True
            self._removed += 1
            self._compact()

    def _link(self, held: Held, session: Session) -> None:
        self._tokens[session.token_hash] = held
        for refresh in refresh_tokens(session):
            self.refresh[refresh] = held
        if session.ended is None:
            _add(self.unended, session.subject, held)
            if session.impersonator is not None:
                _add(self.sitting, session.impersonator, held)
            self.live += 1
        else:
            self.over.setdefault(session.subject, []).append(held)

    def _unlink(self, held: Held, session: Session) -> None:
        del self._tokens[session.token_hash]
        for refresh in refresh_tokens(session):
            del self.refresh[refresh]
        if session.ended is None:
            _take(self.unended, session.subject, held)
            if session.impersonator is not None:
                _take(self.sitting, session.impersonator, held)
            self.live -= 1
        else:
            self.over[session.subject].remove(held)
            if not self.over[session.subject]:
                del self.over[session.subject]

    def _compact(self) -> None:
        """Removed rows stay in the order, marked, until they are the greater part of it."""
        if self._removed * 2 > len(self._order):
            self._order = [held for held in self._order if not held.gone]
            self._removed = 0

    def from_serial(self, serial: Serial) -> Iterator[Session]:
        """The rows numbered `serial` or above, ended or not, in order."""
        for place in range(bisect_left(self._order, serial, key=_serial), len(self._order)):
            held = self._order[place]
            if not held.gone:
                yield held.session

    def newest_first(self) -> Iterator[Session]:
        return (held.session for held in reversed(self._order) if not held.gone)

    def unended_of(self, subject: SubjectId) -> tuple[Session, ...]:
        return tuple(held.session for held in self.unended.get(subject, ()))

    def of_subject(self, subject: SubjectId) -> list[Session]:
        """Ended or not, in order."""
        rows = (*self.over.get(subject, ()), *self.unended.get(subject, ()))
        return [held.session for held in sorted(rows, key=_serial)]

    def unended_under(self, subject: SubjectId) -> tuple[Session, ...]:
        """The subject's, and those in which it sits in somebody else's place."""
        sitting = self.sitting.get(subject)
        if sitting is None:
            return self.unended_of(subject)
        rows = dict.fromkeys((*self.unended.get(subject, ()), *sitting))
        return tuple(held.session for held in sorted(rows, key=_serial))

    # --- revocations ---

    def place_receipt(self, before: Receipt | None, after: Receipt | None) -> None:
        one = after or before
        assert one is not None
        revocation = one.revocation
        owed = (revocation.tenant, revocation.id)
        if after is None:
            del self.receipts[revocation.id]
            self.swept.pop(revocation.id, None)
        else:
            self.receipts[revocation.id] = after
        if after is None or after.complete:
            self._owing.pop(owed, None)
        else:
            self._owing[owed] = None
        if before is None:
            self.old_receipts.add(revocation.id, revocation.at)
        was, will = before is not None and _marks(before), after is not None and _marks(after)
        if will and not was:
            self._mark(revocation)
        elif was and not will:
            self._unmark(revocation)

    def _mark(self, revocation: Revocation) -> None:
        mark = (revocation.serial, spared(revocation.scope))
        for key in keys_of(revocation.scope):
            self.marks[key] = tuple(sorted((*self.marks.get(key, ()), mark), key=_number))

    def _unmark(self, revocation: Revocation) -> None:
        mark = (revocation.serial, spared(revocation.scope))
        for key in keys_of(revocation.scope):
            left = tuple(other for other in self.marks[key] if other != mark)
            if left:
                self.marks[key] = left
            else:
                del self.marks[key]

    def covered_by(self, session: Session) -> Serial:
        """The highest serial of the revocations in whose scope the session is."""
        highest = Serial(0)
        if self.marks:
            for key in scope_keys(session):
                for serial, keep in reversed(self.marks.get(key, ())):
                    if keep != session.id:
                        highest = max(highest, serial)
                        break
        return highest

    def revoked_before(self, subject: SubjectId, dialect: DialectName) -> Serial:
        keys: tuple[ScopeKey, ...] = (
            (None, None),
            (None, dialect),
            (subject, None),
            (subject, dialect),
        )
        marks = (self.marks.get(key) for key in keys)
        return max((found[-1][0] for found in marks if found), default=Serial(0))

    # --- subjects, strikes, codes ---

    def place_subject(self, before: Subject | None, after: Subject | None) -> None:
        if before is not None:
            del self.subjects[before.id]
            del self.names[before.username]
            self._unlist_email(before)
        if after is not None:
            self.subjects[after.id] = after
            self.names[after.username] = after.id
            if after.email:
                email = after.email.lower()
                self.emails[email] = tuple(sorted((*self.emails.get(email, ()), after.id)))

    def _unlist_email(self, subject: Subject) -> None:
        email = subject.email.lower()
        if email:
            left = tuple(one for one in self.emails[email] if one != subject.id)
            if left:
                self.emails[email] = left
            else:
                del self.emails[email]

    def place_strikes(self, before: Strikes | None, after: Strikes | None) -> None:
        if after is not None:
            self.strikes[after.key] = after
            if before is None:
                self.old_strikes.add(after.key, after.since)
        elif before is not None:
            del self.strikes[before.key]

    def place_code(self, before: Code | None, after: Code | None) -> None:
        if after is not None:
            key = (after.subject, after.purpose)
            self.codes[key] = after
            if before is None:
                self.old_codes.add(key, after.expires)
        elif before is not None:
            del self.codes[before.subject, before.purpose]


def _add(rows: dict[SubjectId, tuple[Held, ...]], subject: SubjectId, held: Held) -> None:
    """In order."""
    some = (*rows.get(subject, ()), held)
    if len(some) > 1 and some[-2].serial > held.serial:
        some = tuple(sorted(some, key=_serial))
    rows[subject] = some


def _take(rows: dict[SubjectId, tuple[Held, ...]], subject: SubjectId, held: Held) -> None:
    left = tuple(other for other in rows[subject] if other is not held)
    if left:
        rows[subject] = left
    else:
        del rows[subject]


def _serial(held: Held) -> Serial:
    return held.session.serial


def _number(mark: Mark) -> Serial:
    return mark[0]


def _marks(receipt: Receipt) -> bool:
    """Whether its rule is still needed: sessions named one by one are all ended when it is done."""
    return not (receipt.complete and isinstance(receipt.revocation.scope, OneSession | OfSessions))


def refresh_tokens(session: Session) -> tuple[TokenHash, ...]:
    current = () if session.refresh_hash is None else (session.refresh_hash,)
    return (*current, *session.spent)


def deadline_of(held: Held) -> Instant | None:
    """When a session stops by itself; None when it has ended already."""
    session = held.session
    return None if held.gone or session.ended is not None else session.deadline
