"""The outbox and what is intended: found again, owed once, due in turns, forgotten together."""

import asyncio
from dataclasses import replace

import pytest

from lastcall.domain.delivery import DeliveryId, DeliveryState
from lastcall.domain.errors import Conflict, NotFound
from lastcall.domain.logout import OfSessions, OneSession
from lastcall.domain.plan import PlanState
from lastcall.domain.settling import claimed
from lastcall.domain.types import DAY, MINUTE, ClientId, Instant, PreviewId, ReceiptId, SessionId
from lastcall.index import IndexStore
from tests.contract.changes import A_SEAT, do, undone
from tests.contract.gates import Gate, turns
from tests.contract.rows import (
    ANN,
    BOB,
    GONE,
    NOW,
    ONE,
    TWO,
    a_client,
    a_delivery,
    a_memory,
    a_plan,
    a_preview,
    a_revocation,
    a_session,
    a_subject,
    an_attempt,
    fill,
)

SHOP, MAIL = ClientId("c-shop"), ClientId("c-mail")
LATER = Instant(NOW + MINUTE)


def due_of(store: IndexStore, now: Instant = LATER, **more: object) -> list[str]:
    asked: dict[str, object] = {"most_of_one": 10, "limit": 100, **more}
    return [delivery for _, delivery, _ in store.due(now, **asked)]  # type: ignore[arg-type]  # a short way


class Outbox:
    # --- clients and names ---

    async def test_a_client_is_found_by_id_and_name(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            shop, mail = a_client(), a_client("mail", always=False)
            await tx.put_client(shop)
            await tx.put_client(mail)
            assert await tx.client(SHOP) == await tx.client_named("shop") == shop
            assert await tx.clients() == [mail, shop]
            assert await tx.clients(always=True) == [shop]
            with pytest.raises(Conflict):
                await tx.put_client(replace(mail, name="shop"))
            await tx.put_client(replace(shop, name="store", always=False))
            assert await tx.client_named("shop") is None
            assert await tx.clients(always=True) == []
            await tx.remove_client(SHOP)
            await tx.remove_client(SHOP)
            assert await tx.clients() == [mail]
            with pytest.raises(ValueError, match="two"):
                await tx.put_client(a_client(tenant=TWO))

    async def test_listed_names_go_with_the_client_and_with_the_subject(
        self, store: IndexStore
    ) -> None:
        async with store.transaction(ONE) as tx:
            with pytest.raises(NotFound):
                await tx.put_account(SHOP, ANN, "ann")
            for name in ("shop", "mail"):
                await tx.put_client(a_client(name))
            await tx.add_subject(a_subject())
            await tx.put_account(SHOP, ANN, "ann")
            await tx.put_account(SHOP, BOB, "bob")
            await tx.put_account(MAIL, ANN, "a@mail")
            await tx.put_account(MAIL, BOB, "")
            assert await tx.account_listed(SHOP, ANN) == "ann"
            assert await tx.account_listed(MAIL, BOB) is None
            await tx.remove_subject(ANN)
            assert await tx.account_listed(SHOP, ANN) is None
            assert await tx.account_listed(SHOP, BOB) == "bob"
            await tx.remove_client(SHOP)
            assert await tx.account_listed(SHOP, BOB) is None

    async def test_a_session_is_joined_until_it_ends(self, store: IndexStore) -> None:
        await fill(store, 2)
        async with store.transaction(ONE) as tx:
            before = a_session(1).participants
            joined = await tx.join(SessionId("s1"), A_SEAT)
            assert joined is not None
            assert joined.participants == (*before, A_SEAT)
            renamed = replace(A_SEAT, account="new")
            again = await tx.join(SessionId("s1"), renamed)
            assert again is not None
            assert again.participants == (*before, renamed)
            assert await tx.join(SessionId("s1"), renamed) == again
            await tx.end_session(SessionId("s2"), GONE)
            assert await tx.join(SessionId("s2"), A_SEAT) is None
            assert await tx.join(SessionId("none"), A_SEAT) is None

    # --- deliveries ---

    async def test_a_notice_is_owed_once(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            assert await tx.add_delivery(a_delivery())
            assert not await tx.add_delivery(a_delivery(account="other"))
            assert await tx.delivery(DeliveryId("d1")) == a_delivery()
            with pytest.raises(NotFound):
                await tx.put_delivery(a_delivery(2))
            with pytest.raises(ValueError, match="two"):
                await tx.add_delivery(a_delivery(2, TWO))

    async def test_deliveries_are_listed_by_what_they_are_about(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            for number in range(1, 6):
                settled = number == 5
                await tx.add_delivery(
                    a_delivery(
                        number,
                        receipt=ReceiptId("r1" if number < 4 else "r2"),
                        client=SHOP if number % 2 else MAIL,
                        subject=BOB if number == 3 else ANN,
                        state=DeliveryState.VERIFIED if settled else DeliveryState.QUEUED,
                        next_at=None if settled else NOW,
                    )
                )

            async def listed(**asked: object) -> list[str]:
                return [one.id for one in await tx.deliveries(**asked)]  # type: ignore[arg-type]  # a table

            assert await listed() == ["d1", "d2", "d3", "d4", "d5"]
            assert await listed(receipt="r1") == ["d1", "d2", "d3"]
            assert await listed(client=SHOP, subject=ANN) == ["d1", "d5"]
            assert await listed(receipt="r1", client=SHOP, subject=BOB) == ["d3"]
            assert await listed(states=frozenset({DeliveryState.VERIFIED})) == ["d5"]
            assert await listed(after="d2", limit=2) == ["d3", "d4"]
            assert await listed(receipt="none") == []
            assert await tx.tally(ReceiptId("r1")) == {
                (SHOP, DeliveryState.QUEUED): 2,
                (MAIL, DeliveryState.QUEUED): 1,
            }
            assert await tx.tally(ReceiptId("none")) == {}
        assert store.outbox_depth() == {
            **dict.fromkeys(DeliveryState, 0),
            DeliveryState.QUEUED: 4,
            DeliveryState.VERIFIED: 1,
        }

    async def test_tries_are_kept_in_order(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            with pytest.raises(NotFound):
                await tx.add_attempt(an_attempt())
            await tx.add_delivery(a_delivery())
            await tx.add_attempt(an_attempt(2))
            await tx.add_attempt(an_attempt(1))
            assert [one.number for one in await tx.attempts(DeliveryId("d1"))] == [1, 2]
            assert await tx.attempts(DeliveryId("d2")) == ()
            with pytest.raises(Conflict):
                await tx.add_attempt(an_attempt(2))

    async def test_a_tenant_sees_nothing_of_anothers_outbox(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            await tx.put_client(a_client())
            await tx.put_account(SHOP, ANN, "ann")
            await tx.add_delivery(a_delivery())
            await tx.add_attempt(an_attempt())
            await tx.put_preview(a_preview())
            await tx.put_plan(a_plan())
            await tx.remember(a_memory())
        async with store.transaction(TWO) as tx:
            assert await tx.clients() == await tx.clients(always=True) == []
            assert await tx.client(SHOP) is None
            assert await tx.client_named("shop") is None
            assert await tx.account_listed(SHOP, ANN) is None
            assert await tx.deliveries(client=SHOP, receipt=ReceiptId("r9")) == []
            assert await tx.delivery(DeliveryId("d1")) is None
            assert await tx.attempts(DeliveryId("d1")) == ()
            assert await tx.tally(ReceiptId("r9")) == {}
            assert await tx.preview(PreviewId("v")) is None
            assert await tx.plans() == []
            assert await tx.remembered("k") is None
            with pytest.raises(NotFound):
                await tx.put_delivery(a_delivery(tenant=TWO))
            with pytest.raises(NotFound):
                await tx.add_attempt(an_attempt())
            assert await tx.add_delivery(a_delivery(tenant=TWO)), "ids are a tenant's own"
        assert len(store.due(LATER, most_of_one=9, limit=9)) == 2

    # --- when ---

    async def test_what_has_been_due_longest_comes_first(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            for number in (3, 1, 2):
                await tx.add_delivery(a_delivery(number))
            await tx.add_delivery(a_delivery(9, next_at=None))
        assert due_of(store, NOW) == []
        assert store.next_due() == NOW + 1
        assert due_of(store, Instant(NOW + 2)) == ["d1", "d2"]
        assert due_of(store, most_of_one=1) == ["d1"]
        assert due_of(store, but_not=frozenset({SHOP})) == []
        assert store.next_due(frozenset({SHOP})) is None
        assert store.due(LATER, most_of_one=1, limit=1) == [(ONE, "d1", SHOP)]

    async def test_a_claim_hides_a_delivery_until_it_ends(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            await tx.add_delivery(a_delivery(1))
            await tx.put_delivery(claimed(a_delivery(1), LATER))
        assert due_of(store, Instant(LATER - 1)) == []
        assert store.next_due() == LATER
        assert due_of(store, LATER) == ["d1"]
        async with store.transaction(ONE) as tx:
            await tx.put_delivery(a_delivery(1, next_at=None))
        assert due_of(store, LATER) == []
        assert store.next_due() is None

    async def test_many_for_one_client_keep_none_of_the_others_waiting(
        self, store: IndexStore
    ) -> None:
        async with store.transaction(ONE) as tx:
            for number in range(1, 101):
                await tx.add_delivery(a_delivery(number))
            for number in range(101, 104):
                client = ClientId(f"c-{number}")
                await tx.add_delivery(a_delivery(number, client=client))
        seen = due_of(store, limit=8)
        assert {"d101", "d102", "d103"} < set(seen)
        assert len(seen) <= 8
        assert len(due_of(store, limit=100, most_of_one=5)) == 8
        turns_of = [store.due(LATER, most_of_one=5, limit=1)[0][2] for _ in range(8)]
        assert set(turns_of[:4]) == set(turns_of[4:]) == {SHOP, "c-101", "c-102", "c-103"}

    async def test_the_worker_is_told_of_what_is_owed_once_it_is_durable(
        self, store: IndexStore, gate: Gate
    ) -> None:
        rung: list[int] = []
        store.on_owed = lambda: rung.append(1)
        gate.shut()
        adding = asyncio.create_task(do(store, lambda tx: tx.add_delivery(a_delivery(1))))
        await turns()
        assert not rung
        gate.open()
        await adding
        assert len(rung) == 1
        one = a_delivery(1)
        for quiet in (claimed(one, LATER), replace(one, next_at=None)):
            async with store.transaction(ONE) as tx:
                await tx.put_delivery(quiet)
        await do(store, lambda tx: tx.add_delivery(a_delivery(2, next_at=None)))
        await undone(store, lambda tx: tx.add_delivery(a_delivery(3)))
        assert len(rung) == 1
        await do(store, lambda tx: tx.put_delivery(one))
        assert len(rung) == 2

    # --- rules about sessions named one by one ---

    @pytest.mark.parametrize(
        "scope",
        [
            OneSession(session=SessionId("s1")),
            OfSessions(sessions=frozenset({SessionId("s1"), SessionId("s3"), SessionId("x")})),
        ],
    )
    async def test_a_named_session_is_out_before_its_row_is_ended_and_after(
        self, store: IndexStore, scope: OneSession | OfSessions
    ) -> None:
        await fill(store, 3)
        revocation = a_revocation(9, scope)
        named = [1, 3] if isinstance(scope, OfSessions) else [1]
        async with store.transaction(ONE) as tx:
            await tx.add_revocation(revocation)
            for number in (1, 2, 3):
                covered = await tx.covered_by(a_session(number))
                assert covered == (9 if number in named else 0)
            ended = [row.id for row in await tx.end_sessions(revocation, 1)]
            assert ended == ["s1"]
            rest = [row.id for row in await tx.end_sessions(revocation, 10)]
            assert rest == [f"s{number}" for number in named[1:]]
            await tx.progress(revocation.id, len(named), complete=True)
            assert await tx.covered_by(a_session(1)) == 0, "the ended row says it all"
        shelf = store.index.shelf(ONE)
        assert not shelf.marks

    async def test_a_large_set_is_ended_slice_by_slice(self, store: IndexStore) -> None:
        await fill(store, 5)
        many = [SessionId(f"s{number}") for number in range(2, 20_000)]
        revocation = a_revocation(9, OfSessions(sessions=frozenset(many)))
        async with store.transaction(ONE) as tx:
            await tx.add_revocation(revocation)
            slices = [[row.id for row in await tx.end_sessions(revocation, 3)] for _ in range(3)]
        assert slices == [["s2", "s3", "s4"], ["s5"], []]

    # --- what is intended, and forgetting ---

    async def test_what_is_intended_is_found_again(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            await tx.put_preview(a_preview())
            await tx.put_plan(a_plan("p2", at=Instant(NOW + 1)))
            await tx.put_plan(a_plan("p9"))
            await tx.remember(a_memory())
            assert await tx.preview(PreviewId("v")) == a_preview()
            assert [plan.id for plan in await tx.plans()] == ["p9", "p2"]
            await tx.put_plan(a_plan("p9", state=PlanState.CANCELLED))
            found = await tx.plan(a_plan("p9").id)
            assert found is not None
            assert found.state is PlanState.CANCELLED
            assert await tx.remembered("k") == a_memory()
            assert await tx.remembered("other") is None
            with pytest.raises(ValueError, match="two"):
                await tx.put_plan(a_plan(tenant=TWO))

    async def test_a_receipt_is_forgotten_with_all_it_owed_and_not_before(
        self, store: IndexStore
    ) -> None:
        old, at = Instant(NOW + DAY), Instant(NOW + 2 * DAY)
        async with store.transaction(ONE) as tx:
            await tx.add_revocation(a_revocation(9))
            await tx.progress(ReceiptId("r9"), 0, complete=True)
            for number in (1, 2):
                settled = a_delivery(number, state=DeliveryState.VERIFIED, next_at=None)
                await tx.add_delivery(settled)
                await tx.add_attempt(an_attempt(1, f"d{number}"))
            await tx.add_delivery(a_delivery(3))
            assert await tx.prune(old, at, 100) == 0, "one is still to be told"
            await tx.put_delivery(a_delivery(3, state=DeliveryState.UNREACHABLE, next_at=None))
        much_later = Instant(at + DAY)
        went = []
        for _ in range(4):
            async with store.transaction(ONE) as tx:
                went.append(await tx.prune(old, much_later, 2))
                if sum(went) < 6:
                    assert await tx.receipt(ReceiptId("r9")) is not None
        assert went == [2, 2, 2, 0]
        async with store.transaction(ONE) as tx:
            assert await tx.receipt(ReceiptId("r9")) is None
            assert await tx.deliveries() == []
            assert await tx.attempts(DeliveryId("d1")) == ()
        assert not any(store.outbox_depth().values())

    async def test_intentions_are_forgotten_when_they_are_over(self, store: IndexStore) -> None:
        old, at = Instant(NOW + DAY), Instant(NOW + 2 * DAY)
        async with store.transaction(ONE) as tx:
            await tx.put_preview(a_preview())
            await tx.put_preview(a_preview("new", expires=Instant(at + 1)))
            await tx.put_plan(a_plan("open"))
            await tx.put_plan(a_plan("done", state=PlanState.DONE))
            await tx.put_plan(a_plan("new", state=PlanState.DONE, start=at))
            await tx.remember(a_memory())
            await tx.remember(a_memory("new", at=at))
        gone = 0
        for _ in range(4):
            async with store.transaction(ONE) as tx:
                gone += await tx.prune(old, at, 1)
        assert gone == 3
        async with store.transaction(ONE) as tx:
            assert await tx.preview(PreviewId("v")) is None
            assert await tx.preview(PreviewId("new")) is not None
            assert {plan.id for plan in await tx.plans()} == {"open", "new"}
            assert await tx.remembered("k") is None
            assert await tx.remembered("new") is not None
