"""The PostgreSQL store: the index on every node, PostgreSQL as the record; see docs/adr/0023."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

from lastcall.domain.audit import Record
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import (
    Instant,
    ReceiptId,
    TenantId,
    TokenHash,
)
from lastcall.index import IndexTransaction
from lastcall.ports import Found
from lastcall.ports.reading import MUST_WAIT, Era, MustWait
from lastcall.stores.postgres.body import Body
from lastcall.stores.postgres.connecting import TROUBLE, unavailable
from lastcall.stores.postgres.history import records
from lastcall.stores.postgres.node import Node
from lastcall.stores.postgres.turns import Writing, again

TOUCH_EVERY = 1.0
"""Seconds that the last uses of sessions are gathered before they are written."""


class PostgresStore(Node):
    """What is asked of a node: checks, uses, transactions."""

    async def begin_following(self) -> None:
        """Return once this node may answer. Raises `StoreUnavailable`."""
        try:
            await self.following.begin()
        except TROUBLE as error:
            raise unavailable(error, "following") from error
        self.begin_tasks()
        await self._doubts.wait(self.position)

    def begin_tasks(self) -> None:
        self.tasks = [
            asyncio.create_task(self.following.run()),
            asyncio.create_task(self.turns.run()),
        ]

    # --- the check path ---

    def peek(self, token: TokenHash) -> Found | MustWait | None:
        if self._refusal is not None:
            raise again(self._refusal)
        held = self.index.tokens.get(token)
        if held is None or self._in_body or not self.following.fresh:
            return MUST_WAIT
        if (self._doubts.about or self._doubts.all_up_to) and self._newest(token, held):
            return MUST_WAIT
        return self.index.found(held)

    @property
    def era(self) -> Era:
        return self._era

    async def find(self, token: TokenHash) -> Found | None:
        """Whatever this node does not know or may not answer from memory, it asks the record."""
        asked = False
        while True:
            if self._refusal is not None:
                raise again(self._refusal)
            held = self.index.tokens.get(token)
            if not asked and (held is None or not self.following.fresh):
                await self.following.caught_up()
                asked = True
            elif self._in_body:
                await self._body_over()
            elif newest := self._newest(token, held):
                if self.following.silent:
                    raise StoreUnavailable("the database does not answer")
                await self._doubts.wait(newest)
            else:
                return None if held is None else self.index.found(held)

    async def _body_over(self) -> None:
        over = asyncio.get_running_loop().create_future()
        self._bodies_awaited.append(over)
        await over

    def touch(self, found: Found, at: Instant) -> None:
        """It counts once it is written, and is written only while every node can still learn of it
        before it would let the session lapse."""
        held = self.index.tokens.get(found.session.token_hash)
        if held is None or held.ended is not None or at >= held.deadline or at <= held.last_seen:
            return
        self._uses_at[held] = max(at, self._uses_at.get(held, at))
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(TOUCH_EVERY, self._write_uses)

    def _write_uses(self) -> None:
        self._flush = None
        self._touching = bool(self._uses_at)
        if self._touching:
            self.turns.want()

    async def record_uses(self) -> None:
        """Return once the uses gathered so far are written."""
        self._touching = True
        await self.turns.enter()
        writing = self.writing
        assert writing is not None
        self.turns.leave()
        await writing.outcome()

    # --- transactions ---

    async def begin(self, tenant: TenantId) -> IndexTransaction:
        if self._refusal is not None:
            raise again(self._refusal)
        if self.following.cut_off:
            raise StoreUnavailable("the database does not answer")
        await self.turns.enter()
        self._in_body = True
        return Body(self.index, tenant, self.history)

    async def end(self, tx: IndexTransaction, error: BaseException | None) -> None:
        writing = self.writing
        assert writing is not None
        try:
            if error is not None:
                tx.undo()
            elif tx.changes:
                self._add(writing, tx)
        finally:
            self._in_body = False
            awaited, self._bodies_awaited = self._bodies_awaited, []
            for one in awaited:
                if not one.done():
                    one.set_result(None)
            self.turns.leave()
        if error is None or isinstance(error, Exception):
            try:
                await writing.outcome()
                await self._doubts.wait(writing.reached)
            except StoreUnavailable as unavailable:
                raise unavailable from error

    def _add(self, writing: Writing, tx: IndexTransaction) -> None:
        try:
            writing.batch.add(tx.changes)
        except BaseException:
            tx.undo()
            raise
        if not writing.bodies:
            self._doubts.add(writing.doubt)
        writing.bodies.append(tx)
        self._doubts.more(writing.doubt, tx.changes)

    async def history(
        self,
        tenant: TenantId | None,
        after: int,
        limit: int,
        own: Sequence[Record],
        receipt: ReceiptId | None = None,
    ) -> Sequence[Record]:
        """What is written, then what this turn and this body add."""
        assert self.turns.db is not None
        assert self.writing is not None
        try:
            async with asyncio.timeout(self.turns.patience):
                found = list(await records(self.turns.db, tenant, after, limit, receipt))
        except TimeoutError as error:
            raise unavailable(error, "reading the audit log") from error
        last = found[-1].seq if found else after
        more = (
            one
            for one in (*self.writing.batch.records, *own)
            if one.seq > last
            and tenant in (None, one.event.tenant)
            and receipt in (None, one.event.detail.get("receipt"))
        )
        return [*found, *islice(more, limit - len(found))]

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._refusal = self.failed or StoreUnavailable("the store is closed")
        if self._flush is not None:
            self._flush.cancel()
            self._write_uses()
        await self.turns.close()
        await _over(self.tasks[1:])
        await self.following.close()
        await _over(self.tasks[:1])
        await self.following.let_go()
        await self.turns.let_go()
        self._doubts.fail(lambda: again(self._refusal or StoreUnavailable()))
        if self._witness is not None:
            self._witness.close()


async def _over(tasks: Sequence[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=20)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
