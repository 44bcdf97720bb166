"""All or nothing, and nothing of another tenant."""

import pytest

from lastcall.domain.errors import NotFound
from lastcall.domain.types import DAY, Instant, ReceiptId, SessionId
from lastcall.index import IndexStore
from lastcall.ports import SessionQuery
from tests.contract.changes import CHANGES, EACH_ONCE, Change, fill_with_everything, finds, undone
from tests.contract.rows import (
    ANN,
    BOB,
    GONE,
    NOW,
    ONE,
    TWO,
    WEB,
    a_code,
    a_revocation,
    a_session,
    a_subject,
    an_event,
    fill,
    hashed,
    some_strikes,
    token_of,
)
from tests.contract.snapshot import snapshot


class Atomic:
    @pytest.mark.parametrize("name", CHANGES)
    async def test_a_body_that_raises_changes_nothing(self, store: IndexStore, name: str) -> None:
        await fill_with_everything(store)
        before = snapshot(store.index)
        during = await undone(store, CHANGES[name])
        assert during != before, "the case must change something"
        assert snapshot(store.index) == before
        async with store.transaction(ONE) as tx:  # and it can still be done afterwards
            await CHANGES[name](tx)
        assert snapshot(store.index) != before

    async def test_everything_of_a_body_is_undone_together(self, store: IndexStore) -> None:
        await fill_with_everything(store)
        before = snapshot(store.index)
        await undone(store, *EACH_ONCE)
        assert snapshot(store.index) == before

    async def test_a_sweep_that_was_undone_ends_the_same_rows_later(
        self, store: IndexStore
    ) -> None:
        await fill(store)
        revocation = a_revocation(9)
        await undone(store, lambda tx: tx.end_sessions(revocation, 2))
        async with store.transaction(ONE) as tx:
            assert [one.id for one in await tx.end_sessions(revocation, 2)] == ["s1", "s2"]

    async def test_tenants_share_nothing(self, store: IndexStore) -> None:
        await fill_with_everything(store)
        before = snapshot(store.index)["shelves"][ONE]
        async with store.transaction(TWO) as tx:
            assert await tx.serial() == 0
            assert await tx.subject(ANN) is None
            assert await tx.subject_named("ann") is None
            assert await tx.subject_with_email("ann@example.com") is None
            assert not await tx.subjects()
            assert await tx.session(SessionId("s1")) is None
            assert await tx.session_with_token(token_of(1)) is None
            assert await tx.session_with_refresh(hashed("r")) is None
            assert not await tx.unended_of(ANN)
            assert (await tx.sessions(SessionQuery())).total == 0
            assert await tx.renew(a_session(1)) is None
            assert await tx.end_session(SessionId("s1"), GONE) is None
            assert not await tx.end_sessions(a_revocation(9), 10)
            assert not await tx.end_sessions(a_revocation(9, tenant=TWO), 10)
            assert await tx.revoked_before(BOB, WEB) == 0
            assert await tx.covered_by(a_session(1, subject=BOB)) == 0
            assert await tx.receipt(ReceiptId("r9")) is None
            assert await tx.strikes("k") is None
            assert await tx.code(ANN, "login") is None
            assert not await tx.records()
            with pytest.raises(NotFound):
                await tx.change_subject(a_subject("ann", TWO))
            with pytest.raises(NotFound):
                await tx.progress(ReceiptId("r9"), 1, complete=True)
            await tx.remove_subject(ANN)
            await tx.clear_strikes("k")
            await tx.drop_code(ANN, "login")
            assert await tx.prune(Instant(NOW + 9 * DAY), Instant(NOW + 10 * DAY), 100) == 0
        assert snapshot(store.index)["shelves"][ONE] == before

    async def test_the_same_ids_live_side_by_side(self, store: IndexStore) -> None:
        await fill_with_everything(store)
        before = snapshot(store.index)["shelves"][ONE]
        await fill(store, tenant=TWO)
        async with store.transaction(TWO) as tx:
            mine = await tx.session(SessionId("s1"))
            assert mine is not None
            assert mine.tenant == TWO
            revocation = a_revocation(await tx.next_serial(), tenant=TWO)
            await tx.add_revocation(revocation)
            assert len(await tx.end_sessions(revocation, 10)) == 3
            await tx.put_strikes(some_strikes(count=7))
            await tx.put_code(a_code(tries_left=7))
            await tx.change_subject(a_subject("ann", TWO, role="admin"))
            await tx.remove_subject(BOB)
            await tx.record(an_event("second", TWO))
            assert [one.event.target for one in await tx.records()] == ["second"]
        assert snapshot(store.index)["shelves"][ONE] == before
        assert await finds(store, 1)
        found = await store.find(token_of(1, TWO))
        assert found is not None
        assert found.session.ended is not None

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda tx: tx.add_subject(a_subject("cat", TWO)),
            lambda tx: tx.change_subject(a_subject("ann", TWO)),
            lambda tx: tx.add_session(a_session(7, TWO)),
            lambda tx: tx.add_revocation(a_revocation(9, tenant=TWO)),
            lambda tx: tx.record(an_event("x", TWO)),
        ],
    )
    async def test_rows_of_another_tenant_are_not_taken(
        self, store: IndexStore, wrong: Change
    ) -> None:
        await fill(store)
        with pytest.raises(ValueError, match="a row of two in a transaction of one"):
            async with store.transaction(ONE) as tx:
                await wrong(tx)
