"""The outbox worker: takes what is owed, tells each application, writes down what came of it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from lastcall.circuit import Circuit, Pace
from lastcall.domain.audit import Action, Event
from lastcall.domain.audit import Outcome as Decided
from lastcall.domain.client import Client
from lastcall.domain.delivery import Attempt, Delivery, DeliveryId, Outcome
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import Receipt
from lastcall.domain.origin import Origin
from lastcall.domain.settling import after, claimable, claimed, faulted, untellable
from lastcall.domain.subject import Subject
from lastcall.domain.tally import WELL
from lastcall.domain.types import (
    SECOND,
    ClientId,
    DialectName,
    Duration,
    Instant,
    ReceiptId,
    SubjectId,
    TenantId,
    later,
)
from lastcall.outward import (
    Connector,
    NoAnswer,
    Notice,
    Target,
    Told,
    opened,
    opened_sid,
    tell_of,
    unanswered,
)
from lastcall.ports import Env, Transaction
from lastcall.ports.tracing import Tracer, Untraced

log = structlog.stdlib.get_logger("outbox")

WORKER = Origin(dialect=DialectName("outbox"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One claimed try. `jti` is its own, and no other try's of the same delivery."""

    delivery: Delivery
    client: Client
    connector: Connector
    subject: Subject | None
    receipt: Receipt | None
    jti: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    job: Job
    attempt: Attempt


OnTried = Callable[[Client, Delivery, Attempt], None]
"""Told of every try once it is written down, with the delivery as it is then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A logout of which nothing is to be told any more; `well` when everybody obeyed."""

    receipt: Receipt
    at: Instant
    well: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one transaction came to; `settled` goes along with the tries that had finished."""

    settled: Sequence[Delivery | None]
    jobs: Sequence[Job]
    over: Sequence[Over]


@dataclass(slots=True)
class Worker:
    """Runs until stopped. Any number of workers may share a store; a claim keeps them apart."""

    env: Env
    connectors: Mapping[str, Connector]
    pace: Pace = field(default_factory=Pace)
    on_tried: OnTried | None = None
    on_over: Callable[[Over], None] | None = None
    tracer: Tracer = field(default_factory=Untraced)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _running: Counter[ClientId] = field(default_factory=Counter)
    _circuits: defaultdict[ClientId, Circuit] = field(default_factory=lambda: defaultdict(Circuit))
    _limits: dict[ClientId, int] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _finished: dict[TenantId, list[Finished]] = field(default_factory=dict)
    _stopping: bool = False

    def wake(self) -> None:
        self._bell.set()

    def forgive(self, client: ClientId) -> None:
        """Try it again now, however often it has failed."""
        self._circuits.pop(client, None)
        self.wake()

    async def run(self) -> None:
        """Until `stop`; what is in flight then is waited for and written down."""
        self.env.store.on_owed = self.wake
        self.env.applications.on_again = self.forgive
        while not self._stopping:
            self._bell.clear()
            try:
                took = await self.turn()
            except StoreUnavailable:
                await asyncio.sleep(self.pace.rest / SECOND)
                continue
            if not took and not self._finished:
                await self._nap()
        with suppress(StoreUnavailable):
            await self.rest()

    async def turn(self) -> int:
        """Write down what has finished, begin what is due; how many tries have begun."""
        due = self._due()
        begun = 0
        for tenant in list({**self._finished, **due}):
            begun += await self._round(tenant, due.get(tenant, []))
        return begun

    async def rest(self) -> None:
        """Wait for the tries that are under way, and write them down."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        for tenant in list(self._finished):
            await self._round(tenant, [])

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    async def _nap(self) -> None:
        now = self.env.clock.now()
        due = self.env.store.next_due(self._resting(now))
        wait = min(self.pace.rest, max(0, due - now)) if due is not None else self.pace.rest
        if due is not None and due <= now and len(self._tasks) >= self.pace.in_flight:
            wait = self.pace.rest
        with suppress(TimeoutError):
            async with asyncio.timeout(max(wait, 1) / SECOND):
                await self._bell.wait()

    def _resting(self, now: Instant) -> frozenset[ClientId]:
        """The clients that get nothing more for now: full, or left alone."""
        return frozenset(client for client in self._limits if self._free(client, now) <= 0)

    def _free(self, client: ClientId, now: Instant) -> int:
        slots = self._circuits[client].slots(self._limits.get(client, 1), now)
        return slots - self._running[client]

    def _due(self) -> dict[TenantId, list[DeliveryId]]:
        """What is due and free to go."""
        now = self.env.clock.now()
        room = min(self.pace.in_round, self.pace.in_flight - len(self._tasks))
        by_tenant: dict[TenantId, list[DeliveryId]] = {}
        if room > 0:
            resting = self._resting(now)
            due = self.env.store.due(now, most_of_one=64, limit=room, but_not=resting)
            for tenant, delivery, _client in due:
                by_tenant.setdefault(tenant, []).append(delivery)
        return by_tenant

    async def _round(self, tenant: TenantId, due: Sequence[DeliveryId]) -> int:
        """Write down what a tenant's tries came to and claim what is due; how many were begun.

        All in one transaction, unless something in it cannot be done: then each by itself.
        """
        finished = self._finished.pop(tenant, [])
        try:
            done = await self._written(tenant, finished, due)
        except StoreUnavailable:
            self._finished.setdefault(tenant, []).extend(finished)
            raise
        except Exception as error:
            log.error("notices cannot be handled together", tenant=tenant, exc_info=error)
            self._finished.setdefault(tenant, []).extend(finished)
            return await self._one_by_one(tenant, due)
        return self._go_on(finished, done)

    async def _one_by_one(self, tenant: TenantId, due: Sequence[DeliveryId]) -> int:
        begun = 0
        waiting = self._finished.pop(tenant, [])
        try:
            while waiting:
                begun += await self._alone(tenant, waiting[-1:], [])
                waiting.pop()
        finally:
            if waiting:
                self._finished.setdefault(tenant, []).extend(waiting)
        for one in due:
            begun += await self._alone(tenant, [], [one])
        return begun

    async def _alone(
        self, tenant: TenantId, finished: Sequence[Finished], due: Sequence[DeliveryId]
    ) -> int:
        """One of them. What fails with it is given up by name, and not tried for ever."""
        try:
            done = await self._written(tenant, finished, due)
        except StoreUnavailable:
            raise
        except Exception as error:
            one = due[0] if due else finished[0].attempt.delivery
            log.error("a notice cannot be handled", tenant=tenant, delivery=one, exc_info=error)
            finished, done = [], await self._give_up(tenant, one, f"fault {type(error).__name__}")
        return self._go_on(finished, done)

    async def _give_up(self, tenant: TenantId, one: DeliveryId, why: str) -> Written:
        async with self.env.store.transaction(tenant) as tx:
            delivery, now = await tx.delivery(one), self.env.clock.now()
            over: Sequence[Over] = ()
            if delivery is not None and delivery.next_at is not None:
                given_up = faulted(delivery, now, why)
                await tx.put_delivery(given_up)
                await tx.record(_event(given_up, now))
                over = await self._over(tx, [given_up])
        return Written(settled=(), jobs=(), over=over)

    async def _written(
        self, tenant: TenantId, finished: Sequence[Finished], due: Sequence[DeliveryId]
    ) -> Written:
        async with self.env.store.transaction(tenant) as tx:
            settled = [await self._settle(tx, one) for one in finished]
            untold: list[Delivery] = []
            jobs = await self._claim(tx, due, untold)
            over = await self._over(tx, [*settled, *untold])
        return Written(settled=settled, jobs=jobs, over=over)

    def _go_on(self, finished: Sequence[Finished], done: Written) -> int:
        """Begin what has been claimed, and tell of what has been written down."""
        for job in done.jobs:
            self._running[job.delivery.client] += 1
            task = asyncio.create_task(self._try(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for one, delivery in zip(finished, done.settled, strict=True):
            if self.on_tried is not None and delivery is not None:
                self.on_tried(one.job.client, delivery, one.attempt)
        for logout in done.over:
            if self.on_over is not None:
                self.on_over(logout)
        return len(done.jobs)

    async def _over(self, tx: Transaction, changed: Iterable[Delivery | None]) -> Sequence[Over]:
        """The logouts whose last notice has been settled in this transaction."""
        last: dict[ReceiptId, Instant] = {}
        for one in changed:
            if one is not None and one.settled_at is not None:
                last[one.receipt] = max(last.get(one.receipt, one.settled_at), one.settled_at)
        over: list[Over] = []
        for name, at in last.items():
            receipt = None if await tx.unsettled(name) else await tx.receipt(name)
            if receipt is not None and receipt.complete:
                well = all(state in WELL for _, state in await tx.tally(name))
                over.append(Over(receipt=receipt, at=at, well=well))
        return over

    async def _claim(
        self, tx: Transaction, ids: Iterable[DeliveryId], untold: list[Delivery]
    ) -> Sequence[Job]:
        now = self.env.clock.now()
        jobs: list[Job] = []
        mine: Counter[ClientId] = Counter()
        for each in ids:
            delivery = await tx.delivery(each)
            if delivery is None or not claimable(delivery, now):
                continue
            client = await tx.client(delivery.client)
            connector = self.connectors.get(client.connector) if client else None
            if client is None or connector is None or not client.can_be_told:
                untold.append(untellable(delivery, now))
                await tx.put_delivery(untold[-1])
                await tx.record(_event(untold[-1], now))
                continue
            self._limits[client.id] = client.concurrency
            if self._free(client.id, now) <= mine[client.id]:
                continue
            taken = claimed(delivery, later(now, Duration(client.timeout + self.pace.claim)))
            await tx.put_delivery(taken)
            mine[client.id] += 1
            job = Job(
                delivery=taken,
                client=client,
                connector=connector,
                subject=await tx.subject(taken.subject),
                receipt=await tx.receipt(taken.receipt),
                jti=self.env.entropy.bytes(16).hex(),
            )
            jobs.append(job)
        return jobs

    async def _try(self, job: Job) -> None:
        began = self.env.clock.now()
        with self.tracer.errand(job.delivery.receipt, "tell") as span:
            told = await self._told(job, began)
            tell_of(span, job.client, job.delivery.attempts, told)
        ended = self.env.clock.now()
        client = job.delivery.client
        self._circuits[client].note(told.outcome, ended, self.pace)
        self._running[client] -= 1
        attempt = Attempt(
            delivery=job.delivery.id,
            number=job.delivery.attempts,
            at=began,
            took=Duration(ended - began),
            outcome=told.outcome,
            status=told.status,
            received=told.received,
            error=told.error,
            jti=job.jti,
            dead=told.dead,
            retry_after=told.retry_after,
        )
        finished = Finished(job=job, attempt=attempt)
        self._finished.setdefault(job.delivery.tenant, []).append(finished)
        self.wake()

    async def _told(self, job: Job, now: Instant) -> Told:
        """What the connector says; nothing it does may stop the worker or outlast its time."""
        try:
            target = Target(client=job.client, secrets=opened(self.env.vault, job.client))
            notice = _notice(job, opened_sid(self.env.vault, job.client.id, job.delivery.sid), now)
            async with asyncio.timeout(job.client.timeout / SECOND + 1):
                return await job.connector.tell(target, notice)
        except NoAnswer as error:
            return unanswered(error)
        except TimeoutError:
            return Told(outcome=Outcome.UNKNOWN, error="timeout")
        except StoreUnavailable:
            return Told(outcome=Outcome.RETRY, error="a secret of this client cannot be opened")
        except Exception as error:  # noqa: BLE001  # a connector's fault is a failed try
            return Told(outcome=Outcome.UNKNOWN, error=f"fault {type(error).__name__}")

    async def _settle(self, tx: Transaction, one: Finished) -> Delivery | None:
        """Only if the claim is still this worker's: its number is the delivery's newest."""
        current = await tx.delivery(one.attempt.delivery)
        if current is None:
            return None
        await tx.add_attempt(one.attempt)
        if current.attempts != one.attempt.number or current.next_at is None:
            return None
        chance = int.from_bytes(self.env.entropy.bytes(4)) / 2**32
        settled = after(current, one.attempt, chance, self.pace.patience)
        await tx.put_delivery(settled)
        if settled.settled_at is not None:
            await tx.record(_event(settled, settled.settled_at))
        return settled


def _notice(job: Job, sid: str, now: Instant) -> Notice:
    delivery, receipt = job.delivery, job.receipt
    return Notice(
        delivery=delivery.id,
        receipt=delivery.receipt,
        number=delivery.attempts,
        jti=job.jti,
        subject=delivery.subject,
        account=delivery.account,
        email=job.subject.email if job.subject else "",
        sid=sid,
        session=delivery.session,
        at=receipt.revocation.at if receipt else delivery.created,
        now=now,
        reason=receipt.revocation.reason if receipt else "",
    )


def _event(delivery: Delivery, at: Instant) -> Event:
    return Event(
        at=at,
        tenant=delivery.tenant,
        action=Action.DELIVERY,
        outcome=Decided.DONE if delivery.state in WELL else Decided.REFUSED,
        origin=WORKER,
        actor=SubjectId(""),
        actor_name="outbox",
        target=delivery.id,
        code=delivery.state,
        detail={"client": delivery.client, "receipt": delivery.receipt},
    )
