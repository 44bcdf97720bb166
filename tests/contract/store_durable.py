"""Nothing is answered before it is durable, and bodies run one after the other."""

import asyncio

import pytest

from lastcall.domain.errors import NotFound, StoreUnavailable
from lastcall.domain.logout import OfDialect, OfSubject, OneSession
from lastcall.domain.types import SECOND, SessionId, later
from lastcall.index import IndexStore
from lastcall.ports.reading import MustWait
from tests.contract.changes import (
    Change,
    add,
    do,
    finds,
)
from tests.contract.gates import Gate, turns
from tests.contract.rows import (
    ANN,
    GONE,
    ONE,
    WEB,
    a_revocation,
    a_session,
    a_subject,
    fill,
    hashed,
    token_of,
)


class Durable:
    async def test_a_login_is_not_found_before_it_is_durable(
        self, store: IndexStore, gate: Gate
    ) -> None:
        await fill(store, 1)
        gate.shut()
        login = asyncio.create_task(add(store, a_session(2)))
        await gate.settle()
        check = asyncio.create_task(store.find(token_of(2)))
        await gate.settle()
        assert not login.done()
        assert not check.done()
        assert isinstance(store.peek(token_of(2)), MustWait)
        assert await finds(store, 1), "others do not wait"
        gate.open()
        await login
        found = await check
        assert found is not None
        assert found.session.id == "s2"

    @pytest.mark.parametrize(
        "ending",
        [
            lambda tx: tx.end_session(SessionId("s1"), GONE),
            lambda tx: tx.add_revocation(a_revocation(9)),
            lambda tx: tx.add_revocation(a_revocation(9, OfSubject(subject=ANN))),
            lambda tx: tx.add_revocation(a_revocation(9, OfSubject(subject=ANN, dialect=WEB))),
            lambda tx: tx.add_revocation(a_revocation(9, OfDialect(dialect=WEB))),
            lambda tx: tx.add_revocation(a_revocation(9, OneSession(session=SessionId("s1")))),
            lambda tx: tx.change_subject(a_subject("ann", enabled=False)),
            lambda tx: tx.remove_subject(ANN),
            lambda tx: tx.renew(a_session(1, token_hash=hashed("new"))),
        ],
    )
    async def test_no_check_answers_before_an_end_is_durable(
        self, store: IndexStore, gate: Gate, ending: Change
    ) -> None:
        await fill(store, 1)
        era = store.era.number
        gate.shut()
        logout = asyncio.create_task(do(store, ending))
        await gate.settle()
        assert store.era.number != era, "what was found before is not to be relied on"
        check = asyncio.create_task(store.find(token_of(1)))
        await gate.settle()
        assert isinstance(store.peek(token_of(1)), MustWait)
        assert not check.done()
        assert not logout.done()
        gate.open()
        await logout
        found = await check
        known = not isinstance(store.peek(token_of(1)), MustWait)
        assert known or found is None, "of what it does not know a node may ask others"

    async def test_a_use_begins_no_era_and_the_end_of_the_store_does(
        self, store: IndexStore
    ) -> None:
        await fill(store, 1)
        era, number = store.era, store.era.number
        found = await store.find(token_of(1))
        assert found is not None
        store.touch(found, later(found.session.last_seen, SECOND))
        async with store.transaction(ONE) as tx:
            await tx.session(SessionId("s1"))
        assert store.era is era
        assert era.number == number
        await store.close()
        assert era.number != number

    async def test_an_old_fact_does_not_hide_that_a_newer_one_is_waiting(
        self, store: IndexStore, gate: Gate
    ) -> None:
        await fill(store, 1)
        gate.shut()
        first = asyncio.create_task(
            do(store, lambda tx: tx.change_subject(a_subject("ann", role="admin")))
        )
        await gate.settle()
        second = asyncio.create_task(
            do(store, lambda tx: tx.change_subject(a_subject("ann", enabled=False)))
        )
        await gate.settle()
        gate.open()
        await asyncio.gather(first, second)
        found = await store.find(token_of(1))
        assert found is not None
        assert not found.subject.enabled

    async def test_a_body_that_only_reads_waits_for_what_it_read(
        self, store: IndexStore, gate: Gate
    ) -> None:
        await fill(store, 1)

        async def read() -> bool:
            async with store.transaction(ONE) as tx:
                row = await tx.session(SessionId("s1"))
                return row is not None and row.ended is not None

        async def refuse() -> None:
            async with store.transaction(ONE):
                raise NotFound

        gate.shut()
        logout = asyncio.create_task(do(store, lambda tx: tx.end_session(SessionId("s1"), GONE)))
        await gate.settle()
        reads = [asyncio.create_task(one) for one in (read(), refuse())]
        await gate.settle()
        assert not any(one.done() for one in reads)
        gate.open()
        await logout
        assert await reads[0]
        with pytest.raises(NotFound):
            await reads[1]

    async def test_nothing_found_before_stands_once_not_even_a_use_can_be_written(
        self, store: IndexStore, gate: Gate
    ) -> None:
        await fill(store, 1)
        found = await store.find(token_of(1))
        assert found is not None
        gate.shut()
        store.touch(found, later(found.session.last_seen, SECOND))
        using = asyncio.create_task(store.record_uses())
        await gate.settle()
        era = store.era.number
        gate.fail()
        await asyncio.gather(using, return_exceptions=True)
        assert store.failed is not None
        assert store.era.number != era

    async def test_what_could_not_be_written_is_answered_by_nobody(
        self, store: IndexStore, gate: Gate
    ) -> None:
        await fill(store, 2)
        told: list[StoreUnavailable] = []
        store.on_failure = told.append
        gate.shut()
        waiting = [
            asyncio.create_task(do(store, ending))
            for ending in (
                lambda tx: tx.end_session(SessionId("s1"), GONE),
                lambda tx: tx.add_session(a_session(3)),
            )
        ]
        await gate.settle()
        waiting.append(asyncio.create_task(store.find(token_of(1))))
        await gate.settle()
        gate.fail()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnavailable] * 3
        assert store.failed is not None
        assert len(told) == 1
        for refused in (
            store.find(token_of(2)),
            do(store, lambda tx: tx.serial()),
            do(store, lambda tx: tx.add_session(a_session(4))),
        ):
            with pytest.raises(StoreUnavailable):
                await refused
        with pytest.raises(StoreUnavailable):
            store.peek(token_of(2))

    async def test_giving_up_waiting_harms_nobody(self, store: IndexStore, gate: Gate) -> None:
        await fill(store, 1)
        gate.shut()
        first = asyncio.create_task(add(store, a_session(2)))
        second = asyncio.create_task(add(store, a_session(3)))
        check = asyncio.create_task(store.find(token_of(2)))
        await gate.settle()
        first.cancel()
        check.cancel()
        await gate.settle()
        gate.open()
        await second
        assert await finds(store, 2), "the transaction itself had been decided"

    async def test_bodies_do_not_mix_even_if_one_waits(self, store: IndexStore) -> None:
        await fill(store, 1)
        entered, leave = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            async with store.transaction(ONE) as tx:
                await tx.end_session(SessionId("s1"), GONE)
                entered.set()
                await leave.wait()
                raise ZeroDivisionError

        task = asyncio.create_task(slow())
        await entered.wait()
        other = asyncio.create_task(do(store, lambda tx: tx.session(SessionId("s1"))))
        check = asyncio.create_task(store.find(token_of(1)))
        await turns()
        assert not other.done()
        assert not check.done()
        assert isinstance(store.peek(token_of(1)), MustWait)
        leave.set()
        with pytest.raises(ZeroDivisionError):
            await task
        assert await other == a_session(1)
        found = await check
        assert found is not None
        assert found.session == a_session(1)

    async def test_a_cancelled_body_is_undone_and_gives_way(self, store: IndexStore) -> None:
        await fill(store, 1)

        async def stuck() -> None:
            async with store.transaction(ONE) as tx:
                await tx.end_session(SessionId("s1"), GONE)
                await asyncio.sleep(60)

        task = asyncio.create_task(stuck())
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await do(store, lambda tx: tx.session(SessionId("s1"))) == a_session(1)

    async def test_a_cap_counts_logins_that_are_not_durable_yet(
        self, store: IndexStore, gate: Gate
    ) -> None:
        await fill(store, 0)

        async def login(number: int) -> bool:
            async with store.transaction(ONE) as tx:
                if len(await tx.unended_of(ANN)) >= 3:
                    return False
                await tx.add_session(a_session(number, serial=await tx.next_serial()))
                return True

        gate.shut()
        logins = [asyncio.create_task(login(number)) for number in range(20)]
        await gate.settle()
        gate.open()
        assert sum(await asyncio.gather(*logins)) == 3
        assert await store.live_sessions() == 3

    async def test_closing_waits_for_what_is_under_way(self, store: IndexStore) -> None:
        await fill(store, 1)
        tasks = [asyncio.create_task(add(store, a_session(n))) for n in range(2, 12)]
        await turns()
        await store.close()
        await asyncio.gather(*tasks)
