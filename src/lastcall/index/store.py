"""A store on the index: bodies one after the other, durability through a log, checks that wait."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from types import TracebackType
from typing import Protocol
from uuid import uuid4

import msgspec

from lastcall.domain.audit import Record
from lastcall.domain.delivery import Delivery, DeliveryId, DeliveryState
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import Reached, Receipt, Spread
from lastcall.domain.session import Session
from lastcall.domain.types import ClientId, Instant, ReceiptId, SessionId, TenantId, TokenHash
from lastcall.index.concerns import Concern, about_of, mark_of, to_be_tried
from lastcall.index.condition import Loading, condition
from lastcall.index.feed import IndexFeed
from lastcall.index.held import Held
from lastcall.index.marks import scope_keys
from lastcall.index.tables import Change, Changed, EndedTogether, Index, Touched
from lastcall.index.transaction import IndexTransaction
from lastcall.index.uses import Uses
from lastcall.ports import Condition, Found, Observer, Unobserved
from lastcall.ports.feed import Mark
from lastcall.ports.reading import MUST_WAIT, Era, MustWait

Report = Callable[[int, BaseException | None], None]
"""Called on the event loop: everything up to this ticket is durable, or it failed for good."""


class Log(Protocol):
    """Where changes become durable, in the order of their tickets."""

    def append(self, ticket: int, changes: Sequence[Change], report: Report) -> bool:
        """Take the changes; True when they are durable already, otherwise `report` tells later.

        Raises `Invalid` for what cannot be written, and has taken nothing then.
        """
        ...

    def records(
        self, tenant: TenantId | None, after: int, limit: int, receipt: ReceiptId | None = None
    ) -> Sequence[Record]:
        """The durable audit records with a higher sequence number, in order.

        Those of a tenant or of all; with a `receipt` only the ones that name it.
        """
        ...

    async def close(self) -> None:
        """Return once everything appended is durable or has failed."""
        ...


class Ticket(msgspec.Struct):
    """Changes on their way to the disk, and who waits for them."""

    about: Sequence[Concern]
    doubtful: Sequence[Mark]
    records: Sequence[Record]
    owed: bool
    waiters: list[asyncio.Future[None]] = msgspec.field(default_factory=list)


class IndexStore:
    """Implements `lastcall.ports.Store` over an index and whatever log it is given.

    `failed` is set by the first write that could not be made durable; from then on the store
    refuses everything, and only a restart from what is on disk helps. `on_failure` and
    `on_record` (each record, once durable) may be set by whoever wants to know.
    """

    backend = "memory"

    def __init__(self, index: Index, log: Log) -> None:
        self.failed: StoreUnavailable | None = None
        self.on_failure: Callable[[StoreUnavailable], None] | None = None
        self.on_record: Callable[[Record], None] | None = None
        self.on_owed: Callable[[], None] | None = None
        self.observer: Observer = Unobserved()
        self.loading = Loading()
        self.index = index
        self.feed = IndexFeed(uuid4().hex, 0, self._confirmed)
        self._refusal: StoreUnavailable | None = None
        self._log = log
        self._turn = asyncio.Lock()
        self._in_body = False
        self._closed = False
        self._submitted = 0
        self._durable = 0
        self._undurable: dict[Concern, int] = {}
        self._pending: dict[int, Ticket] = {}
        self._uses = Uses(self._write_down)

    # --- the check path ---

    def peek(self, token: TokenHash) -> Found | MustWait | None:
        """`find` without waiting."""
        if self._refusal is not None:
            raise _again(self._refusal)
        held = self.index.tokens.get(token)
        if self._in_body or (self._undurable and self._newest(token, held) > self._durable):
            return MUST_WAIT
        return None if held is None else self.index.found(held)

    @property
    def era(self) -> Era:
        return self.index.era

    def _newest(self, token: TokenHash, held: Held | None) -> int:
        """The ticket of the newest fact about a token that is not durable; 0 when there is none."""
        known = self._undurable.get
        newest = known(token, 0)
        if held is not None:
            tenant = held.tenant
            newest = max(newest, *(known((tenant, key), 0) for key in scope_keys(held.session)))
        return newest

    async def find(self, token: TokenHash) -> Found | None:
        while isinstance(found := self.peek(token), MustWait):
            if self._in_body:
                async with self._turn:
                    continue
            await self._wait_for(self._newest(token, self.index.tokens.get(token)))
        return found

    def touch(self, found: Found, at: Instant) -> None:
        held = self.index.tokens.get(found.session.token_hash)
        if held is None or held.ended is not None or at >= held.deadline:
            return
        if at > held.last_seen:
            held.seen(at)
        self._uses.add(held)

    def _write_down(self, used: Sequence[Held]) -> None:
        if self.failed is None:
            self._submit([_use(held) for held in used])

    async def record_uses(self) -> None:
        """Return once the uses gathered so far are durable."""
        self._uses.write_all()
        await self._wait_for(self._submitted)

    # --- transactions ---

    def transaction(self, tenant: TenantId) -> "Turn":
        return Turn(self, tenant)

    async def begin(self, tenant: TenantId) -> IndexTransaction:
        await self._turn.acquire()
        if self._refusal is not None:
            self._turn.release()
            raise _again(self._refusal)
        self._in_body = True
        return IndexTransaction(self.index, tenant, self._history)

    async def end(self, tx: IndexTransaction, error: BaseException | None) -> None:
        """Also a body that raises waits: its refusal may rest on what it read."""
        try:
            if error is not None:
                tx.undo()
            elif tx.changes and self.failed is None:
                self._submit_or_undo(tx)
        finally:
            self._in_body = False
            self._turn.release()
        if error is None or isinstance(error, Exception):
            if self.failed is not None:
                raise _again(self.failed) from error
            await self._wait_for(self._submitted)

    def _history(
        self,
        tenant: TenantId | None,
        after: int,
        limit: int,
        own: Sequence[Record],
        receipt: ReceiptId | None = None,
    ) -> Sequence[Record]:
        """What is durable, then what is on its way there, then what the transaction adds."""
        found = list(self._log.records(tenant, after, limit, receipt))
        last = found[-1].seq if found else after
        tail = chain.from_iterable((*(one.records for one in self._pending.values()), own))
        more = (
            one
            for one in tail
            if one.seq > last
            and tenant in (None, one.event.tenant)
            and receipt in (None, one.event.detail.get("receipt"))
        )
        return [*found, *islice(more, limit - len(found))]

    # --- durability ---

    def _submit_or_undo(self, tx: IndexTransaction) -> None:
        try:
            self._submit([*self._last_uses(tx.changes), *tx.changes])
        except BaseException:
            tx.undo()
            raise

    def _last_uses(self, changes: Sequence[Change]) -> list[Touched]:
        """Those of many that end together, to be written before their ends; few bring theirs."""
        if not self._uses:
            return []
        many = (one.rows for one in changes if isinstance(one, EndedTogether) and not one.few)
        return [_use(held) for held in self._uses.among(chain.from_iterable(many))]

    def _submit(self, changes: Sequence[Change]) -> None:
        ticket = self._submitted + 1
        at_once = self._log.append(ticket, changes, self._report)
        self._submitted = ticket
        about: list[Concern] = []
        doubtful: list[Mark] = []
        records: list[Record] = []
        owed = False
        for change in changes:
            if isinstance(change, Changed):
                if isinstance(change.after, Record):
                    records.append(change.after)
                elif isinstance(change.after, Delivery):
                    owed = owed or to_be_tried(change.before, change.after)
                else:
                    concerned = about_of(change)
                    about += concerned
                    if change.before is not None or not isinstance(change.after, Session):
                        doubtful += [mark_of(change.tenant, one) for one in concerned]
        for mark in about:
            self._undurable[mark] = ticket
        self._pending[ticket] = Ticket(about, doubtful, records, owed)
        if at_once:
            self._report(ticket, None)

    async def _confirmed(self) -> None:
        """Alone on its record, this node has acknowledged whatever anybody has."""
        if self._refusal is not None:
            raise _again(self._refusal)

    async def _wait_for(self, ticket: int) -> None:
        pending = self._pending.get(ticket)
        if pending is not None:
            waiter = asyncio.get_running_loop().create_future()
            pending.waiters.append(waiter)
            await waiter

    def _report(self, ticket: int, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
            return
        owed = False
        while self._durable < ticket and self.failed is None:
            self._durable += 1
            done = self._pending.pop(self._durable)
            for mark in done.about:
                if self._undurable.get(mark) == self._durable:
                    del self._undurable[mark]
            owed = owed or done.owed
            self.feed.publish(self._durable, done.doubtful)
            for waiter in done.waiters:
                if not waiter.done():
                    waiter.set_result(None)
            if self.on_record is not None:  # last: whoever counts must not keep anybody waiting
                for record in done.records:
                    self.on_record(record)
        if owed and self.on_owed is not None:
            self.on_owed()

    def _fail(self, error: BaseException) -> None:
        if self.failed is not None:
            return
        self.failed = StoreUnavailable("a write failed: the store has stopped")
        self.failed.__cause__ = error
        self._refusal = self.failed
        self.index.era.number += 1
        for pending in self._pending.values():
            for waiter in pending.waiters:
                if not waiter.done():
                    waiter.set_exception(_again(self.failed))
        self._pending.clear()
        if self.on_failure is not None:
            self.on_failure(self.failed)

    # --- the outbox ---

    def due(
        self,
        now: Instant,
        *,
        most_of_one: int,
        limit: int,
        but_not: frozenset[ClientId] = frozenset(),
    ) -> Sequence[tuple[TenantId, DeliveryId, ClientId]]:
        found = self.index.queue.due(
            now,
            most_of_one=most_of_one,
            limit=limit,
            skip=lambda line: line[1] in but_not,
            skipped=len(but_not),
        )
        return [(tenant, delivery, client) for (tenant, client), delivery in found]

    def next_due(self, but_not: frozenset[ClientId] = frozenset()) -> Instant | None:
        at = self.index.queue.next_due(lambda line: line[1] in but_not)
        return None if at is None else Instant(at)

    def outbox_depth(self) -> Mapping[DeliveryState, int]:
        return {state: self.index.depth[state] for state in DeliveryState}

    # --- figures, the sweep, the end ---

    @property
    def leads(self) -> bool:
        """Whether this node does what only one has to do."""
        return True

    async def unswept(self) -> Sequence[tuple[TenantId, ReceiptId]]:
        return list(self.index.owing)

    async def past_deadline(self, now: Instant, limit: int) -> Sequence[tuple[TenantId, SessionId]]:
        return self.index.past_deadline(now, limit)

    def spread(self, receipt: Receipt) -> Spread:
        here = Reached(node="this", applied_at=receipt.revocation.at)
        return Spread(mode="single", nodes=(here,))

    async def live_sessions(self) -> int:
        return self.index.live_sessions()

    def watch(self, observer: Observer) -> None:
        self.observer = observer

    def condition(self) -> Condition:
        return condition(self.index, self.backend, self.loading)

    async def close(self) -> None:
        """Refuse what comes, write the last uses, and return once everything is durable."""
        async with self._turn:
            if self._closed:
                return
            self._closed = True
            self._refusal = self.failed or StoreUnavailable("the store is closed")
            self.index.era.number += 1
        self._uses.write_all()
        await self._log.close()


class Turn:
    """One transaction: `async with` gives the body its turn and waits for the disk after it."""

    __slots__ = ("_store", "_tenant", "_tx")

    def __init__(self, store: IndexStore, tenant: TenantId) -> None:
        self._store = store
        self._tenant = tenant
        self._tx: IndexTransaction | None = None

    async def __aenter__(self) -> IndexTransaction:
        self._tx = await self._store.begin(self._tenant)
        return self._tx

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._tx is not None
        await self._store.end(self._tx, error)


def _use(held: Held) -> Touched:
    return Touched(held.tenant, held.serial, held.last_seen)


def _again(failed: StoreUnavailable) -> StoreUnavailable:
    """A fresh exception for each caller: tracebacks are not shared."""
    error = StoreUnavailable(failed.detail)
    error.__cause__ = failed.__cause__
    return error
