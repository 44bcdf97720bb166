"""The whole index: a shelf for each tenant, the tokens of all, and the head of the audit chain."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar, assert_never

import msgspec

from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import GENESIS, Record
from lastcall.domain.client import AccountName, Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryState
from lastcall.domain.logout import Receipt
from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.session import End, Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import Instant, ReceiptId, Serial, SessionId, TenantId, TokenHash
from lastcall.index.held import Held, Profiles
from lastcall.index.intentions import IntendedFact
from lastcall.index.outbox import DueQueue, OutboxFact
from lastcall.index.shelf import Shelf, deadline_of
from lastcall.index.wheel import Wheel
from lastcall.ports import Found

Fact = Subject | Session | Receipt | Strikes | Code | Record | OutboxFact | IntendedFact | int
"""A row of any table; a bare number is the tenant's serial."""


F = TypeVar("F", Subject, Session, Receipt, Strikes, Code)


class Changed(msgspec.Struct, frozen=True):
    """One row before and after; None where it did not or does not exist."""

    tenant: TenantId
    before: Fact | None
    after: Fact | None


class Touched(msgspec.Struct, frozen=True):
    """The last use of a session, to be written only if the session has not ended."""

    tenant: TenantId
    serial: Serial
    at: Instant


FEW = 3
"""Rows that one statement each ends more quickly than one statement that takes a list."""


class EndedTogether(msgspec.Struct, frozen=True):
    """Sessions that one revocation ended, in the order of their serials.

    They are `alone` where no other that had not ended lies between them. No check depends on it:
    the revocation refuses them all, from before this change or with it.
    """

    tenant: TenantId
    end: End
    rows: Sequence[Held]
    alone: bool = False

    @property
    def few(self) -> bool:
        """Whether they are written one by one, each with its last use."""
        return len(self.rows) <= FEW

    @property
    def serials(self) -> list[Serial]:
        return [held.serial for held in self.rows]

    def each(self) -> Iterator[Changed]:
        """One by one, for whoever asks at once and needs the sessions."""
        for held in self.rows:
            session = held.passing()
            yield Changed(self.tenant, replace(session, ended=None), session)


Change = Changed | Touched | EndedTogether


class Count:
    """Of changes; it outlives the index that counts."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Index:
    def __init__(self) -> None:
        self.tokens: dict[TokenHash, Held] = {}
        self.shelves: dict[TenantId, Shelf] = {}
        self.profiles = Profiles()
        self.deadlines: Wheel[Held] = Wheel()
        self.owing: dict[tuple[TenantId, ReceiptId], None] = {}
        self.queue: DueQueue = DueQueue()
        self.depth: Counter[DeliveryState] = Counter()
        self.seq = 0
        self.digest = GENESIS
        self.era = Count()

    def shelf(self, tenant: TenantId) -> Shelf:
        shelf = self.shelves.get(tenant)
        if shelf is None:
            shelf = self.shelves[tenant] = Shelf(
                self.tokens, self.profiles, self.deadlines, self.owing, self.queue, self.depth
            )
        return shelf

    def place(self, tenant: TenantId, before: Fact | None, after: Fact | None) -> None:
        """Take one row from `before` to `after`; `place(tenant, after, before)` undoes it."""
        self.era.number += 1
        shelf = self.shelf(tenant)
        match before if after is None else after:
            case int() as serial:
                shelf.serial = Serial(serial)
            case Record() as record:
                undone = after is None
                self.seq = record.seq - 1 if undone else record.seq
                self.digest = record.previous if undone else record.digest
            case Receipt():
                shelf.place_receipt(_as(Receipt, before), _as(Receipt, after))
            case Session():
                shelf.place_session(_as(Session, before), _as(Session, after))
            case Delivery() | Attempt() | Client() | AccountName():
                shelf.outbox.place(_outbox(before), _outbox(after))
            case Strikes():
                shelf.place_strikes(_as(Strikes, before), _as(Strikes, after))
            case Subject():
                shelf.place_subject(_as(Subject, before), _as(Subject, after))
            case Code():
                shelf.place_code(_as(Code, before), _as(Code, after))
            case Preview() | Plan() | Remembered():
                shelf.intentions.place(_intended(before), _intended(after))

    def end_together(self, ended: EndedTogether) -> None:
        self.era.number += 1
        self.shelf(ended.tenant).end_together(ended.rows, ended.end)

    def revive_together(self, ended: EndedTogether) -> None:
        """Undoes it."""
        self.era.number += 1
        self.shelf(ended.tenant).revive_together(ended.rows)

    def found(self, held: Held) -> Found | None:
        """None when the account is gone."""
        session = held.session
        shelf = self.shelves[session.tenant]
        subject = shelf.subjects.get(session.subject)
        if subject is None:
            return None
        return Found(session=session, subject=subject, revoked_before=shelf.covered_by(session))

    def past_deadline(self, now: Instant, limit: int) -> list[tuple[TenantId, SessionId]]:
        """Those found are looked at again the next time, until they have ended."""
        due = self.deadlines.take(now, limit, deadline_of)
        for held in due:
            self.deadlines.add(held, held.deadline)
        return [(held.tenant, held.id) for held in due]

    def live_sessions(self) -> int:
        return sum(shelf.live for shelf in self.shelves.values())


def _as(kind: type[F], fact: Fact | None) -> F | None:
    if fact is None or isinstance(fact, kind):
        return fact
    raise TypeError(f"a {type(fact).__name__} in the place of a {kind.__name__}")


def _outbox(fact: Fact | None) -> OutboxFact | None:
    if fact is None or isinstance(fact, OutboxFact):
        return fact
    raise TypeError(f"a {type(fact).__name__} in the outbox")


def _intended(fact: Fact | None) -> IntendedFact | None:
    if fact is None or isinstance(fact, Preview | Plan | Remembered):
        return fact
    raise TypeError(f"a {type(fact).__name__} among what is intended")


def at_of(fact: Fact) -> Instant:
    """The instant a row tells of, for the floor of the clock; 0 when it tells of none."""
    match fact:
        case Session():
            return fact.last_seen if fact.ended is None else max(fact.last_seen, fact.ended.at)
        case Record():
            return fact.event.at
        case Strikes():
            return fact.since
        case Receipt():
            return fact.revocation.at
        case Subject():
            return fact.changed
        case Delivery():
            return max(fact.created, fact.settled_at or fact.created)
        case Attempt() | Preview() | Plan() | Remembered():
            return fact.at
        case Client():
            return fact.changed
        case AccountName() | Code() | int():
            return Instant(0)
        case _:
            assert_never(fact)
