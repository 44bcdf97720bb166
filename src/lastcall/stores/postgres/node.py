"""One node: its index, and what turns and following make of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lastcall.domain.delivery import DeliveryId
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import Receipt, Spread
from lastcall.domain.types import (
    ClientId,
    Duration,
    Instant,
    ReceiptId,
    SessionId,
    TenantId,
    TokenHash,
)
from lastcall.index import IndexFeed, IndexStore, Touched
from lastcall.index.held import Held
from lastcall.ports import Condition, Observer
from lastcall.stores.postgres.applying import apply
from lastcall.stores.postgres.batch import Batch
from lastcall.stores.postgres.body import NoLog
from lastcall.stores.postgres.connecting import Db, Server
from lastcall.stores.postgres.distances import Distances
from lastcall.stores.postgres.doubts import Doubt, Doubts
from lastcall.stores.postgres.following import Following
from lastcall.stores.postgres.loading import Loaded, load
from lastcall.stores.postgres.reached import Reached
from lastcall.stores.postgres.reading import Absorbed, Come, Head, Name, now
from lastcall.stores.postgres.turns import Step, Turns, Writing, again, no_step
from lastcall.stores.postgres.witness import Sighting, Witness
from lastcall.witness import RolledBack


class NodeEra:
    """Of what this node may answer by itself: `NONE` while its lease has run out, or it failed."""

    NONE = -1

    def __init__(self, node: "Node") -> None:
        self._node = node

    @property
    def number(self) -> int:
        node = self._node
        return node.index.era.number if node.following.fresh and node.failed is None else self.NONE


class Node(IndexStore):
    """One node. `floor` is the latest instant on record, `offset` what to add to the machine's
    time of day, in milliseconds, for the database's."""

    backend = "postgresql"

    def __init__(
        self,
        loaded: Loaded,
        server: Server,
        name: Name,
        witness: Witness | None,
        *,
        strict: bool,
        step: Step = no_step,
    ) -> None:
        super().__init__(loaded.index, NoLog())
        self.epoch, self.position, self.vouched = loaded.epoch, loaded.seq, loaded.seq
        self.tip = loaded.tip
        self._chain = loaded.index.seq, loaded.index.digest
        self.floor = loaded.latest
        self.offset = Duration(0)
        self.writing: Writing | None = None
        self.strict = strict
        self.feed = IndexFeed(loaded.epoch, loaded.seq, self._confirmed)
        self._witness = witness
        self._doubts = Doubts()
        self._doubts.begin(loaded.seq)
        self._undurable = self._doubts.about
        self._distances = Distances()
        self._uses_at: dict[Held, Instant] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._era = NodeEra(self)
        self._touching = False
        self._news = False
        self._bodies_awaited: list[asyncio.Future[None]] = []
        self.following = Following(server, name, self)
        self.turns = Turns(server, name.node, self, step)
        self.reached = Reached(name.node, loaded.seq)
        self.following.on_reached = self.reached.note
        self.following.on_lapsed = self.reached.lapse
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def mode(self) -> str:
        return "strict" if self.strict else "leased"

    # --- what turns and following make of it ---

    def add_uses(self, batch: Batch) -> None:
        if not self._touching:
            return
        self._touching = False
        uses, self._uses_at = self._uses_at, {}
        spare = round(2_000 * self.following.name.lease)
        for held, at in uses.items():
            if held.gone or held.ended is not None or at + spare >= held.deadline:
                continue
            if batch.touch(Touched(held.tenant, held.serial, at), held.id):
                batch.used.append((held, at))

    @property
    def come(self) -> Come:
        return Come(self.position, self.tip, self.vouched)

    def absorb(self, head: Head) -> Absorbed:
        self._compare(head)
        if self.writing is None:
            if head.other and head.before.seq == self.position:
                return Absorbed.GAP
            for row in head.rows:
                if self.position + 1 == row[0]:
                    self._apply(row)
        elif head.other:
            return Absorbed.BLOCKED
        if self.position >= head.seq:
            return Absorbed.ALL
        if self.writing is not None:
            own = head.rows and head.rows[-1][:2] == (self.writing.seq, self.writing.batch.id)
            return Absorbed.ALL if own and head.seq == self.writing.seq else Absorbed.BLOCKED
        gap = not head.rows or head.rows[0][0] > self.position + 1
        return Absorbed.GAP if gap else Absorbed.MORE

    def _compare(self, head: Head) -> None:
        """Raises `RolledBack` for a database that lacks what it was proven to have."""
        before = head.before
        if head.epoch != self.epoch:
            raise RolledBack("the database has begun another epoch: it was restored")
        if head.seq < before.vouched:
            seen = f"it ends at change {head.seq} and was seen at {before.vouched}"
            raise RolledBack(f"the database is older than this node has seen it: {seen}")
        if head.other and before.seq <= before.vouched:
            raise RolledBack(f"change {before.seq} is not the one this node has seen")

    def _apply(self, row: Sequence[Any]) -> None:
        seq, batch, _node, at, changes = row
        doubt = Doubt(seq)
        made = apply(self.index, changes)
        doubt.add(made)
        self.reached.began(seq, made)
        self.position, self.tip = seq, batch
        self._chain = self.index.seq, self.index.digest
        self._doubts.add(doubt)
        self.feed.publish(seq, doubt.marks)
        self._distances.arrived(at)
        if doubt.owed:
            self._owed()

    def proven(self, seq: int) -> None:
        """Everything up to there is durable."""
        if seq > self.vouched:
            self.vouched = seq
            self.reached.note(self.following.name.node, seq)
            if self._witness is not None and seq == self.position:
                self._remember(self._witness)
            self.moved()

    def _remember(self, witness: Witness) -> None:
        """Without it nothing would tell that the database was rolled back, so this node stops."""
        try:
            witness.write(self.sighting())
        except OSError as error:
            self.give_up(error)

    def moved(self) -> None:
        spread = self.following.spread if self.strict else self.vouched
        self._doubts.settle(self.vouched, spread)
        self._distances.reached(self.following.spread)
        if self._doubts.newest > self.following.told or (
            not self.strict and self.vouched > self.following.told and self._news
        ):
            self._news = False
            self.following.tell()

    def committed(self, writing: Writing) -> None:
        self.following.answered()
        self.position, self.tip = writing.seq, writing.batch.id
        self._chain = self.index.seq, self.index.digest
        for held, at in writing.batch.used:
            if not held.gone and held.ended is None and at > held.last_seen:
                held.seen(at)
        self._doubts.durable(writing.doubt)
        for tx in writing.bodies:
            self.reached.began(writing.seq, tx.changes)
        self.feed.publish(writing.seq, writing.doubt.marks)
        if writing.doubt.marks:
            self._distances.left(writing.seq)
        self._news = self._news or bool(writing.doubt.marks)
        self.proven(writing.seq)
        if self.on_record is not None:
            for record in writing.batch.records:
                self.on_record(record)
        if writing.doubt.owed:
            self._owed()

    def undone(self, writing: Writing) -> None:
        for tx in reversed(writing.bodies):
            tx.undo()
        if writing.bodies:
            self._doubts.drop(writing.doubt)
        for held, at in writing.batch.used:  # to be written with the next turn
            self._uses_at[held] = max(at, self._uses_at.get(held, at))
            self._touching = True

    def reload_soon(self) -> None:
        self.following.look()

    async def reload(self, db: Db) -> None:
        """Everything is read anew: what had been applied may not have been kept by the database,
        or what came since is not in the feed any longer."""
        async with self.turns.busy:
            loaded = await load(db)
            if loaded.epoch != self.epoch or loaded.seq < self.vouched:
                raise RolledBack("the database is older than this node has seen it")
            loaded.index.era = self.index.era
            loaded.index.era.number += 1
            self.index.profiles.let_go()
            self.index, self.position, self.tip = loaded.index, loaded.seq, loaded.tip
            self._chain = loaded.index.seq, loaded.index.digest
            self._uses_at.clear()
            self._doubts.begin(loaded.seq)
            self.feed.restart(self.epoch, loaded.seq)

    def _newest(self, token: TokenHash, held: Held | None) -> int:
        return super()._newest(token, held) or self._doubts.all_up_to

    def cut_off(self) -> None:
        """Bodies that wait were not run. Of what is written nobody knows for how long it will not
        be known, here or elsewhere."""
        self.turns.refuse(StoreUnavailable("the database does not answer"))
        if self.writing is not None:
            self.writing.finish(StoreUnavailable("what became of a write is not known"))
        self._doubts.fail(lambda: StoreUnavailable("the database does not answer"))

    def took_over(self) -> None:
        self._owed()

    def give_up(self, error: BaseException) -> None:
        if self.failed is not None:
            return
        text = error.detail if isinstance(error, StoreUnavailable) else "a write failed"
        self.failed = StoreUnavailable(f"{text}: the store has stopped")
        self.failed.__cause__ = error
        self._refusal = self.failed
        self._doubts.fail(lambda: again(self._refusal or StoreUnavailable()))
        if self.on_failure is not None:
            self.on_failure(self.failed)

    def _owed(self) -> None:
        if self.on_owed is not None and self.following.leads:
            self.on_owed()

    async def _confirmed(self) -> None:
        """In strict mode a fresh lease means that everything acknowledged is here."""
        if self._refusal is not None:
            raise again(self._refusal)
        if not (self.strict and self.following.fresh):
            await self.following.caught_up()

    # --- what only one node does ---

    @property
    def leads(self) -> bool:
        """Whether this node does what only one has to do: of those alive, the first there was."""
        return self.following.leads

    def due(
        self,
        now: Instant,
        *,
        most_of_one: int,
        limit: int,
        but_not: frozenset[ClientId] = frozenset(),
    ) -> Sequence[tuple[TenantId, DeliveryId, ClientId]]:
        if not self.leads:
            return ()
        return super().due(now, most_of_one=most_of_one, limit=limit, but_not=but_not)

    def next_due(self, but_not: frozenset[ClientId] = frozenset()) -> Instant | None:
        return super().next_due(but_not) if self.leads else None

    async def unswept(self) -> Sequence[tuple[TenantId, ReceiptId]]:
        return await super().unswept() if self.leads else ()

    def spread(self, receipt: Receipt) -> Spread:
        rule = receipt.revocation
        return Spread(mode=self.mode, nodes=self.reached.of(rule.tenant, rule.id))

    async def past_deadline(self, now: Instant, limit: int) -> Sequence[tuple[TenantId, SessionId]]:
        return await super().past_deadline(now, limit) if self.leads else ()

    # --- figures, the end ---

    def watch(self, observer: Observer) -> None:
        super().watch(observer)
        self.turns.observer = observer
        self._distances.watch(observer, self.offset)

    def condition(self) -> Condition:
        following = self.following
        return replace(
            super().condition(),
            mode=self.mode,
            node=following.name.node,
            lease=max(0.0, following.fresh_until - now()),
            behind=following.behind,
            nodes=len(following.peers) + 1,
        )

    def sighting(self) -> Sighting:
        """Of this node's position; what a turn is about to write is not part of it."""
        chain, digest = self._chain
        return Sighting(
            epoch=self.epoch,
            seq=self.vouched,
            chain=chain,
            digest=digest,
            serial=max((one.serial for one in self.index.shelves.values()), default=0),
        )
