"""A shelf: all rows of one tenant, and the ways to find them.

Every `place_` method takes a row from one state to another (None: absent) and keeps each way of
finding it in step, so that placing the other way round undoes it exactly.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.delivery import DeliveryState
from lastcall.domain.logout import OfSessions, OneSession, Receipt
from lastcall.domain.session import End, Session
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
from lastcall.index.grouped import Grouped
from lastcall.index.held import Held, Profiles, hold
from lastcall.index.intentions import Intentions
from lastcall.index.marks import Marks
from lastcall.index.outbox import DueQueue, Outbox
from lastcall.index.wheel import Wheel


class Shelf:
    """What it is made of is shared by the shelves of an index."""

    def __init__(
        self,
        tokens: dict[TokenHash, Held],
        profiles: Profiles,
        deadlines: Wheel[Held],
        owing: dict[tuple[TenantId, ReceiptId], None],
        queue: DueQueue,
        depth: Counter[DeliveryState],
    ) -> None:
        self.serial = Serial(0)
        self.subjects: dict[SubjectId, Subject] = {}
        self.names: dict[str, SubjectId] = {}
        self.emails: dict[str, SubjectId | tuple[SubjectId, ...]] = {}
        self.sessions: dict[SessionId, Held] = {}
        self.refresh: dict[TokenHash, Held] = {}
        self.unended = Grouped()
        self.sitting = Grouped()
        self.over = Grouped()
        self.live = 0
        self.receipts: dict[ReceiptId, Receipt] = {}
        self.marks = Marks()
        self.swept: dict[ReceiptId, Serial] = {}
        self.strikes: dict[str, Strikes] = {}
        self.codes: dict[tuple[SubjectId, str], Code] = {}
        self.outbox = Outbox(queue, depth)
        self.intentions = Intentions()
        self.graves: Wheel[Held] = Wheel()
        self.retained = 0
        self.old_receipts: Wheel[ReceiptId] = Wheel()
        self.old_strikes: Wheel[str] = Wheel()
        self.old_codes: Wheel[tuple[SubjectId, str]] = Wheel()
        self._tokens = tokens
        self._profiles = profiles
        self._deadlines = deadlines
        self._owing = owing
        self._order: list[Held] = []
        self._highest = Serial(0)
        self._removed = 0

    # --- sessions ---

    def place_session(self, before: Session | None, after: Session | None) -> None:
        if before is None and after is not None:
            subject = self.subjects.get(after.subject)
            whose = after.subject if subject is None else subject.id
            held = hold(self._profiles, after, whose)
            self._adopt(held, after.serial, after.deadline)
            self.list_rare(held, after)
        elif before is not None and after is not None:
            self._change(self.sessions[before.id], before, after)
        elif before is not None:
            self._remove(self.sessions[before.id], before)

    def list_rare(self, held: Held, session: Session) -> None:
        """What is found by the things that few sessions have."""
        for token in refresh_tokens(session):
            self.refresh[token] = held
        if session.impersonator is not None and session.ended is None:
            self.sitting.add(session.impersonator, held)

    def adopt_all(self, rows: Iterable[tuple[Held, Instant]]) -> None:
        """New rows with their deadlines, in order and above those that are there.

        As `_adopt` does, in a third of the time.
        """
        sessions, tokens, order = self.sessions, self._tokens, self._order
        live: list[tuple[Held, Instant]] = []
        for held, deadline in rows:
            sessions[held.id] = held
            tokens[held.token] = held
            order.append(held)
            if held.ended is None:
                live.append((held, deadline))
            else:
                self.over.add(held.subject, held)
                self.graves.add(held, held.ended.at + self.retained)
        self._highest = order[-1].serial
        self.unended.add_each(live)
        self._deadlines.add_each(live)
        self.live += len(live)

    def _adopt(self, held: Held, serial: Serial, deadline: Instant) -> None:
        self.sessions[held.id] = held
        self._tokens[held.token] = held
        if serial < self._highest:
            insort(self._order, held, key=_serial)
        else:
            self._order.append(held)
            self._highest = serial
        if held.ended is None:
            self.unended.add(held.subject, held)
            self.live += 1
            self._deadlines.add(held, deadline)
        else:
            self.over.add(held.subject, held)
            self.graves.add(held, held.ended.at + self.retained)

    def _change(self, held: Held, before: Session, after: Session) -> None:
        if before.token_hash != after.token_hash:
            del self._tokens[before.token_hash]
            self._tokens[after.token_hash] = held
        for token in refresh_tokens(before):
            del self.refresh[token]
        for token in refresh_tokens(after):
            self.refresh[token] = held
        held.put(self._profiles, after)
        if before.ended is None and after.ended is not None:
            self._is_over(held, before.impersonator)
            self.graves.add(held, after.ended.at + self.retained)
        elif before.ended is not None and after.ended is None:
            self.over.take(held.subject, held)
            self._is_live(held, after.impersonator)
            self._deadlines.add(held, after.deadline)

    def _remove(self, held: Held, session: Session) -> None:
        del self.sessions[session.id]
        del self._tokens[session.token_hash]
        for token in refresh_tokens(session):
            del self.refresh[token]
        if session.ended is None:
            self._is_over(held, session.impersonator)
        self.over.take(held.subject, held)
        held.leave()
        self._removed += 1
        self._compact()

    def _is_live(self, held: Held, sitter: SubjectId | None) -> None:
        self.unended.add(held.subject, held)
        if sitter is not None:
            self.sitting.add(sitter, held)
        self.live += 1

    def _is_over(self, held: Held, sitter: SubjectId | None) -> None:
        self.unended.take(held.subject, held)
        if sitter is not None:
            self.sitting.take(sitter, held)
        self.live -= 1
        self.over.add(held.subject, held)

    def end_together(self, rows: Sequence[Held], end: End) -> None:
        """End these, which have not ended."""
        whose: dict[SubjectId, list[Held]] = {}
        for held in rows if self.sitting else ():
            sitter = self._sitter(held)
            if sitter is not None:
                self.sitting.take(sitter, held)
        for held in rows:
            whose.setdefault(held.subject, []).append(held)
            if type(held.own) is bytes:  # as `end` does, and a call less
                held.ended = end
            else:
                held.end(end)
        for subject, some in whose.items():
            self.unended.take(subject, *some)
            self.over.add(subject, *some)
        self.live -= len(rows)
        self.graves.add_all(rows, end.at + self.retained)

    def revive_together(self, rows: Sequence[Held]) -> None:
        """Take their end back; a row that went and came back since has another place."""
        for held in (self.sessions[one.id] for one in rows):
            held.end(None)
            self.over.take(held.subject, held)
            self._is_live(held, self._sitter(held))
            self._deadlines.add(held, held.deadline)

    def _sitter(self, held: Held) -> SubjectId | None:
        return held.passing().impersonator if self.sitting else None

    def _compact(self) -> None:
        """Removed rows stay in the order, marked, until they are the greater part of it."""
        if self._removed * 2 > len(self._order):
            self._order = [held for held in self._order if not held.gone]
            self._removed = 0

    def order(self, first: Serial, below: Serial) -> Iterator[Held]:
        """From `first` on, numbered below `below`, in order: ended or not, and some that went."""
        order = self._order
        start = bisect_left(order, first, key=_serial)
        stop = bisect_left(order, below, lo=start, key=_serial)
        return map(order.__getitem__, range(start, stop))  # islice would walk up to the start

    def between(self, first: Serial, below: Serial) -> Iterator[Held]:
        """The rows from `first` on numbered below `below`, ended or not, in order."""
        return (held for held in self.order(first, below) if held.token)

    def back_from(self, below: Serial | None) -> Iterator[Held]:
        """The rows numbered below `below`, ended or not, the newest first."""
        order = self._order
        stop = len(order) if below is None else bisect_left(order, below, key=_serial)
        rows = map(order.__getitem__, range(stop - 1, -1, -1))
        return (held for held in rows if held.token)

    def newest_first(self) -> Iterator[Session]:
        return (held.passing() for held in reversed(self._order) if not held.gone)

    def unended_of(self, subject: SubjectId) -> tuple[Session, ...]:
        return tuple(held.passing() for held in self.unended.of(subject))

    def of_subject(self, subject: SubjectId) -> list[Session]:
        """Ended or not, in order."""
        rows = (*self.over.of(subject), *self.unended.of(subject))
        return [held.passing() for held in sorted(rows, key=_serial)]

    def held_under(self, subject: SubjectId) -> list[Held]:
        """What is unended: the subject's, and where it sits in somebody else's place."""
        rows, sitting = self.unended.of(subject), self.sitting.of(subject)
        return sorted(dict.fromkeys((*rows, *sitting)), key=_serial) if sitting else rows

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
            self.marks.add(revocation)
        elif was and not will:
            self.marks.remove(revocation)

    def covered_by(self, session: Session) -> Serial:
        return self.marks.covered_by(session)

    def revoked_before(self, subject: SubjectId, dialect: DialectName) -> Serial:
        return self.marks.highest(
            ((None, None), (None, dialect), (subject, None), (subject, dialect))
        )

    # --- subjects, strikes, codes ---

    def place_subject(self, before: Subject | None, after: Subject | None) -> None:
        if before is not None:
            del self.subjects[before.id]
            del self.names[before.username]
            self._unlist_email(before)
        if after is not None:
            self.subjects[after.id] = after
            self.names[after.username] = after.id
            self._list_email(after)

    def _list_email(self, subject: Subject) -> None:
        if subject.email:
            email = _lower(subject.email)
            others = self.with_email(email)
            self.emails[email] = tuple(sorted((*others, subject.id))) if others else subject.id

    def _unlist_email(self, subject: Subject) -> None:
        if subject.email:
            email = _lower(subject.email)
            left = tuple(one for one in self.with_email(email) if one != subject.id)
            if left:
                self.emails[email] = left[0] if len(left) == 1 else left
            else:
                del self.emails[email]

    def with_email(self, email: str) -> tuple[SubjectId, ...]:
        """Those who have it, however it is written."""
        found = self.emails.get(email.lower(), ())
        return found if isinstance(found, tuple) else (found,)

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


def _lower(text: str) -> str:
    """The very text where it is so already, and not another copy."""
    lower = text.lower()
    return text if lower == text else lower


def _serial(held: Held) -> Serial:
    return held.serial


def _marks(receipt: Receipt) -> bool:
    """Whether its rule is still needed: sessions named one by one are all ended when it is done."""
    return not (receipt.complete and isinstance(receipt.revocation.scope, OneSession | OfSessions))


def refresh_tokens(session: Session) -> tuple[TokenHash, ...]:
    current = () if session.refresh_hash is None else (session.refresh_hash,)
    return (*current, *session.spent)


def deadline_of(held: Held) -> Instant | None:
    """When a session stops by itself; None when it has ended already."""
    return None if held.gone or held.ended is not None else held.deadline
