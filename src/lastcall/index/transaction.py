"""A transaction on the index: changes it at once, remembers how to undo, collects what to write."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import nsmallest
from itertools import islice
from typing import Protocol

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Event, Link, Record, chained, link_of
from lastcall.domain.errors import Conflict, NotFound
from lastcall.domain.logout import (
    OfSessions,
    OfSubject,
    OneSession,
    Receipt,
    Revocation,
)
from lastcall.domain.session import End, Participant, Session, State, ended, joined, state_of
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
from lastcall.index.covering import below, names
from lastcall.index.held import Held
from lastcall.index.owing import OutboxRows
from lastcall.index.pruning import prunable
from lastcall.index.shelf import refresh_tokens
from lastcall.index.tables import Changed, Index
from lastcall.index.tombstones import Tombstones
from lastcall.ports import Page, SessionQuery, searchable


class History(Protocol):
    """Audit records above a sequence number, up to a limit: a tenant's or everybody's (None).

    `own` are those of this transaction; with a `receipt` only the records that name it.
    """

    def __call__(
        self,
        tenant: TenantId | None,
        after: int,
        limit: int,
        own: Sequence[Record],
        receipt: ReceiptId | None = None,
    ) -> Sequence[Record]: ...


ONE_BY_ONE = 10_000
"""Up to so many sessions of a set are looked up; for more, all rows are gone through once."""

LOOKED = 40
"""For each it may end, a slice of all rows looks at so many, and is over."""

NOTICES = 500
"""A slice is over once its ends owe so many, however few they are."""


class IndexTransaction(OutboxRows):
    """Implements `lastcall.ports.Transaction`; no method ever suspends."""

    def __init__(self, index: Index, tenant: TenantId, history: History) -> None:
        super().__init__(index, tenant)
        self._history = history
        self._begun: dict[ReceiptId, int] = {}
        self._stopped: set[ReceiptId] = set()

    # --- serials and subjects ---

    async def serial(self) -> Serial:
        return self._shelf.serial

    async def next_serial(self) -> Serial:
        self._change(self._shelf.serial, self._shelf.serial + 1)
        return self._shelf.serial

    async def raise_serial(self, to: Serial) -> None:
        """Go on above `to`, if the tenant is not there yet."""
        if to > self._shelf.serial:
            self._change(self._shelf.serial, to)

    async def subject(self, id: SubjectId) -> Subject | None:
        return self._shelf.subjects.get(id)

    async def subject_named(self, username: str) -> Subject | None:
        found = self._shelf.names.get(username)
        return None if found is None else self._shelf.subjects[found]

    async def subject_with_email(self, email: str) -> Subject | None:
        found = self._shelf.with_email(email)
        return self._shelf.subjects[found[0]] if len(found) == 1 else None

    async def subjects(self, after: str = "", limit: int = 100) -> Sequence[Subject]:
        names = nsmallest(limit, (name for name in self._shelf.names if name > after))
        return [self._shelf.subjects[self._shelf.names[name]] for name in names]

    async def add_subject(self, subject: Subject) -> None:
        self._own(subject.tenant)
        if subject.id in self._shelf.subjects or subject.username in self._shelf.names:
            raise Conflict("the username is taken")
        self._change(None, subject)

    async def change_subject(self, subject: Subject) -> None:
        self._own(subject.tenant)
        before = self._shelf.subjects.get(subject.id)
        if before is None:
            raise NotFound("no such subject")
        if self._shelf.names.get(subject.username, subject.id) != subject.id:
            raise Conflict("the username is taken")
        self._change(before, subject)

    async def remove_subject(self, id: SubjectId) -> None:
        before = self._shelf.subjects.get(id)
        if before is not None:
            self._unlist_accounts(id)
            self._change(before, None)

    # --- sessions ---

    async def add_session(self, session: Session) -> None:
        self._own(session.tenant)
        if session.id in self._shelf.sessions:
            raise Conflict("the session id is taken")
        self._secrets_are_free(session)
        self._change(None, session)

    def _secrets_are_free(self, session: Session) -> None:
        holders = [self._index.tokens.get(session.token_hash)]
        holders += [self._shelf.refresh.get(token) for token in refresh_tokens(session)]
        if any(held is not None and held.id != session.id for held in holders):
            raise Conflict("the token is taken")

    async def session(self, id: SessionId) -> Session | None:
        held = self._shelf.sessions.get(id)
        return None if held is None else held.session

    async def session_with_token(self, token: TokenHash) -> Session | None:
        held = self._index.tokens.get(token)
        return held.session if held and held.tenant == self.tenant else None

    async def session_with_refresh(self, token: TokenHash) -> Session | None:
        held = self._shelf.refresh.get(token)
        return None if held is None else held.session

    async def unended_of(self, subject: SubjectId) -> Sequence[Session]:
        return self._shelf.unended_of(subject)

    async def sessions(self, query: SessionQuery) -> Page:
        rows = [session for session in self._candidates(query) if self._matches(query, session)]
        below = [row for row in rows if query.before is None or row.serial < query.before]
        stop = query.offset + query.limit
        page = tuple(below[query.offset : stop])
        more = page and len(below) > stop
        return Page(sessions=page, total=len(rows), next=page[-1].serial if more else None)

    async def sessions_below(
        self, below: Serial | None, query: SessionQuery, limit: int
    ) -> tuple[Sequence[Session], Serial | None]:
        rows = list(islice(self._shelf.back_from(below), limit))
        onwards = rows[-1].serial if len(rows) == limit else None
        maybe = rows if query.live_at is None else [held for held in rows if held.ended is None]
        sessions = (held.passing() for held in maybe)
        return [one for one in sessions if self._matches(query, one)], onwards

    async def live_slice(
        self, first: Serial, below: Serial, at: Instant, limit: int
    ) -> tuple[Sequence[Session], Serial | None]:
        rows = list(islice(self._shelf.between(first, below), limit))
        onwards = Serial(rows[-1].serial + 1) if len(rows) == limit else None
        live = (held.passing() for held in rows if held.ended is None)
        return [one for one in live if self._live(one, at)], onwards

    def _candidates(self, query: SessionQuery) -> Sequence[Session]:
        """What a subject may ask of its own must not cost more the more others there are."""
        if query.subject is None:
            return list(self._shelf.newest_first())
        if query.live_at is None:
            return self._shelf.of_subject(query.subject)[::-1]
        return self._shelf.unended_of(query.subject)[::-1]

    def _matches(self, query: SessionQuery, session: Session) -> bool:
        return (
            query.subject in (None, session.subject)
            and query.dialect in (None, session.dialect)
            and query.kind in (None, session.kind)
            and query.address in (None, session.address)
            and (
                not query.text
                or session.subject in query.or_subjects
                or query.text.lower() in searchable(session).lower()
            )
            and (query.live_at is None or self._live(session, query.live_at))
        )

    def _live(self, session: Session, at: Instant) -> bool:
        return state_of(session, at, self._shelf.covered_by(session)) is State.LIVE

    async def renew(self, session: Session) -> Session | None:
        before = await self.session(session.id)
        if before is None or before.ended is not None:
            return None
        after = replace(
            before,
            token_hash=session.token_hash,
            token_expires=session.token_expires,
            refresh_hash=session.refresh_hash,
            spent=session.spent,
            factors=session.factors,
        )
        self._secrets_are_free(after)
        self._change(before, after)
        return after

    async def join(self, id: SessionId, participant: Participant) -> Session | None:
        before = await self.session(id)
        if before is None or before.ended is not None:
            return None
        after = joined(before, participant)
        if after != before:
            self._change(before, after)
        return after

    async def end_session(self, id: SessionId, end: End) -> Session | None:
        before = await self.session(id)
        if before is None or before.ended is not None:
            return None
        after = ended(before, end)
        self._change(before, after)
        return after

    async def end_sessions(self, covered: Revocation, limit: int) -> Sequence[Session]:
        if covered.tenant != self.tenant:
            return ()
        rows, alone = self._covered(covered, limit)
        self._end_together(rows, covered.end(), alone=alone)
        return Tombstones(rows)

    async def more_to_end(self, covered: Revocation) -> bool:
        return covered.id in self._stopped

    def _covered(self, covered: Revocation, limit: int) -> tuple[Sequence[Held], bool]:
        """Rows to end, oldest first, until there are enough, or they owe enough notices; and
        whether no other that has not ended lies between them."""
        named, owing = names(covered.scope), bool(self._shelf.outbox.clients)
        rows: list[Held] = []
        notices, passed = 0, False
        self._stopped.discard(covered.id)
        for held in self._candidates_of(covered, limit * LOOKED):
            if held.ended is not None or not held.token:
                continue
            if not named(held):
                passed = True
                continue
            rows.append(held)
            if owing:
                notices += self._notices(held)
            if len(rows) >= limit or notices >= NOTICES:
                self._stop(covered, held)
                break
        return rows, not passed and covered.id in self._sliced

    def _candidates_of(self, covered: Revocation, looks: int) -> Iterable[Held]:
        match covered.scope:
            case OneSession(session=one):
                found = self._shelf.sessions.get(one)
                return below(covered, () if found is None else (found,))
            case OfSessions(sessions=some) if len(some) <= ONE_BY_ONE:
                each = (self._shelf.sessions.get(one) for one in some)
                known = (held for held in each if held is not None)
                return sorted(below(covered, known), key=_serial)
            case OfSubject(subject=subject):
                return below(covered, self._shelf.held_under(subject))
            case _:
                return self._slice(covered, looks)

    def _slice(self, covered: Revocation, looks: int) -> Iterator[Held]:
        """Up to `looks` of all the rows; each is passed once, however many slices there are."""
        swept = self._shelf.swept.get(covered.id, Serial(0))
        self._sliced.append(covered.id)
        self._shelf.swept[covered.id] = covered.serial
        rows = self._shelf.order(swept, covered.serial)
        yield from islice(rows, looks)
        for held in rows:
            return self._stop(covered, held)

    def _stop(self, covered: Revocation, at: Held) -> None:
        self._stopped.add(covered.id)
        if covered.id in self._shelf.swept:
            self._shelf.swept[covered.id] = at.serial

    def _notices(self, held: Held) -> int:
        return len(held.passing().participants) + len(self._shelf.outbox.always)

    # --- revocations ---

    async def revoked_before(self, subject: SubjectId, dialect: DialectName) -> Serial:
        return self._shelf.revoked_before(subject, dialect)

    async def covered_by(self, session: Session) -> Serial:
        return self._shelf.covered_by(session) if session.tenant == self.tenant else Serial(0)

    async def add_revocation(self, revocation: Revocation) -> None:
        self._own(revocation.tenant)
        if revocation.id in self._shelf.receipts:
            raise Conflict("the receipt id is taken")
        self._begun[revocation.id] = len(self.changes)
        self._change(None, Receipt(revocation=revocation, sessions_ended=0, complete=False))

    async def receipt(self, id: ReceiptId) -> Receipt | None:
        return self._shelf.receipts.get(id)

    async def progress(self, id: ReceiptId, ended: int, *, complete: bool) -> None:
        before = self._shelf.receipts.get(id)
        if before is None:
            raise NotFound("no such receipt")
        after = Receipt(
            revocation=before.revocation,
            sessions_ended=before.sessions_ended + ended,
            complete=before.complete or complete,
        )
        begun = self._begun.get(id)
        if begun is None:
            self._change(before, after)
        else:  # written once, as it is in the end
            self._index.place(self.tenant, before, after)
            self.changes[begun] = Changed(self.tenant, None, after)

    # --- strikes and codes ---

    async def strikes(self, key: str) -> Strikes | None:
        return self._shelf.strikes.get(key)

    async def put_strikes(self, strikes: Strikes) -> None:
        self._change(self._shelf.strikes.get(strikes.key), strikes)

    async def clear_strikes(self, key: str) -> None:
        before = self._shelf.strikes.get(key)
        if before is not None:
            self._change(before, None)

    async def code(self, subject: SubjectId, purpose: str) -> Code | None:
        return self._shelf.codes.get((subject, purpose))

    async def put_code(self, code: Code) -> None:
        self._change(self._shelf.codes.get((code.subject, code.purpose)), code)

    async def drop_code(self, subject: SubjectId, purpose: str) -> None:
        before = self._shelf.codes.get((subject, purpose))
        if before is not None:
            self._change(before, None)

    # --- audit ---

    async def record(self, event: Event) -> None:
        self._own(event.tenant)
        self._change(None, chained(self._index.seq + 1, self._index.digest, event))

    async def records(self, after: int = 0, limit: int = 100) -> Sequence[Record]:
        return self._history(self.tenant, after, limit, self._recorded())

    async def record_of(self, receipt: ReceiptId) -> Record | None:
        found = self._history(self.tenant, 0, 1, self._recorded(), receipt)
        return found[0] if found else None

    async def links(self, after: int = 0, limit: int = 100) -> Sequence[Link]:
        found = self._history(None, after, limit, self._recorded())
        return [link_of(record, self.tenant) for record in found]

    async def head(self) -> tuple[int, bytes]:
        return self._index.seq, self._index.digest

    def _recorded(self) -> list[Record]:
        return [
            change.after
            for change in self.changes
            if isinstance(change, Changed) and isinstance(change.after, Record)
        ]

    async def prune(self, ended_before: Instant, now: Instant, limit: int) -> int:
        went = list(prunable(self._shelf, ended_before, now, limit))
        for row in went:
            self._change(row, None)
        return len(went)


def _serial(held: Held) -> Serial:
    return held.serial
