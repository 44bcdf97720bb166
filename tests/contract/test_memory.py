"""The memory store keeps the contract; and what any log may do to a store on the index."""

import asyncio
from collections.abc import Sequence

import pytest

from lastcall.domain.audit import Record
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.types import SessionId
from lastcall.index import Change, IndexStore, Report
from lastcall.ports import Transaction
from lastcall.ports.reading import MustWait
from lastcall.stores.memory import AtOnce, MemoryStore
from tests.contract.changes import A_SEAT, do
from tests.contract.gates import GatedLog, turns
from tests.contract.rows import GONE, ONE, an_event, fill, token_of
from tests.contract.store import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def gate(self) -> GatedLog:
        return GatedLog(AtOnce())

    @pytest.fixture
    def store(self, gate: GatedLog) -> IndexStore:
        return MemoryStore(gate)


async def test_needs_nothing_to_begin() -> None:
    assert await MemoryStore().live_sessions() == 0


class SlowLog(AtOnce):
    """From when it is told to, it says that something is durable only when it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.waiting: list[tuple[int, Report]] = []

    def append(self, ticket: int, changes: Sequence[Change], report: Report) -> bool:
        super().append(ticket, changes, report)
        if self.slow:
            self.waiting.append((ticket, report))
        return not self.slow

    def one_more(self) -> None:
        ticket, report = self.waiting.pop(0)
        report(ticket, None)


async def test_a_check_waits_for_the_last_of_two_changes_to_a_session() -> None:
    """The first being durable says nothing of the second."""
    log = SlowLog()
    store = MemoryStore(log)
    await fill(store, 1)
    log.slow = True
    joining = asyncio.create_task(do(store, lambda tx: tx.join(SessionId("s1"), A_SEAT)))
    ending = asyncio.create_task(do(store, lambda tx: tx.end_session(SessionId("s1"), GONE)))
    await turns()
    check = asyncio.create_task(store.find(token_of(1)))
    log.one_more()
    await joining
    assert isinstance(store.peek(token_of(1)), MustWait)
    assert not ending.done()
    assert not check.done()
    log.one_more()
    await ending
    found = await check
    assert found is not None
    assert found.session.ended == GONE


async def test_who_is_cancelled_in_a_body_is_cancelled_whatever_became_of_the_store() -> None:
    log = SlowLog()
    store = MemoryStore(log)
    await fill(store, 1)
    log.slow = True

    async def waiting() -> None:
        async with store.transaction(ONE):
            await asyncio.Event().wait()

    ending = asyncio.create_task(do(store, lambda tx: tx.end_session(SessionId("s1"), GONE)))
    await turns()
    body = asyncio.create_task(waiting())
    await turns()
    ticket, report = log.waiting.pop()
    report(ticket, OSError("planted"))
    with pytest.raises(StoreUnavailable):
        await ending
    body.cancel()
    with pytest.raises(asyncio.CancelledError):
        await body


async def test_who_has_written_is_told_so_though_nobody_can_count_it() -> None:
    def planted(_record: Record) -> None:
        raise RuntimeError("planted")

    async def logout(tx: Transaction) -> None:
        await tx.end_session(SessionId("s1"), GONE)
        await tx.record(an_event("logout"))

    log = SlowLog()
    store = MemoryStore(log)
    await fill(store, 1)
    log.slow, store.on_record = True, planted
    before = store.feed.position
    ending = asyncio.create_task(do(store, logout))
    await turns()
    with pytest.raises(RuntimeError):
        log.one_more()
    await asyncio.wait_for(ending, 60)
    [told] = store.feed.after(before) or ()
    assert [mark.about for mark in told.marks] == [token_of(1)] * 2
