"""Revocations, deadlines, guesses, the audit chain, and what is forgotten."""

import random

import pytest

from lastcall.domain.audit import GENESIS, Record, chained
from lastcall.domain.errors import Conflict
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Revocation, Scope
from lastcall.domain.session import End, Participant
from lastcall.domain.types import (
    DAY,
    HOUR,
    ClientId,
    EndReason,
    Instant,
    ReceiptId,
    SessionId,
    SubjectId,
)
from lastcall.index import IndexStore
from lastcall.ports import SessionQuery, Transaction
from tests.contract.changes import undone
from tests.contract.rows import (
    ANN,
    APP,
    BOB,
    GONE,
    IDLE,
    NOW,
    ONE,
    TWO,
    WEB,
    a_client,
    a_code,
    a_revocation,
    a_session,
    an_event,
    fill,
    serials_up_to,
    some_strikes,
    token_of,
)


class Endings:
    async def test_end_sessions_takes_covered_rows_oldest_first(self, store: IndexStore) -> None:
        await fill(store, 5)
        revocation = a_revocation(5, OfTenant(keep=SessionId("s2")))
        async with store.transaction(ONE) as tx:
            await tx.add_revocation(revocation)
            for left in (["s1"], ["s3"], ["s4"], []):
                ended = await tx.end_sessions(revocation, 1)
                assert [one.id for one in ended] == left
                assert all(one.ended == revocation.end() for one in ended)
            # s5 has the revocation's own number: it began with it, not before it
            assert [one.id for one in await tx.unended_of(ANN)] == ["s2", "s5"]

    async def test_a_slice_looks_at_so_many_rows_and_the_next_goes_on_there(
        self, store: IndexStore
    ) -> None:
        await fill(store, 0)
        revocation = a_revocation(101, OfDialect(dialect=APP))
        async with store.transaction(ONE) as tx:
            for number in range(1, 101):
                await tx.add_session(a_session(number, dialect=APP if number in (3, 90) else WEB))
            await serials_up_to(tx, 101)
            await tx.add_revocation(revocation)
        slices: list[tuple[list[int], bool]] = []

        async def slice_of(tx: Transaction) -> None:
            done = await tx.end_sessions(revocation, 1)
            slices.append(([one.serial for one in done], await tx.more_to_end(revocation)))

        for _ in range(5):
            async with store.transaction(ONE) as tx:
                await slice_of(tx)
        # from 1 on up to the first; 40 rows; 40 rows; the second; nothing
        assert slices == [([3], True), ([], True), ([], True), ([90], True), ([], False)]

    async def test_a_slice_undone_is_looked_at_again(self, store: IndexStore) -> None:
        await fill(store, 0)
        revocation = a_revocation(61, OfDialect(dialect=APP))
        async with store.transaction(ONE) as tx:
            for number in range(1, 61):
                await tx.add_session(a_session(number, dialect=APP if number in (5, 50) else WEB))
            await serials_up_to(tx, 61)
            await tx.add_revocation(revocation)
        await undone(store, *[lambda tx: tx.end_sessions(revocation, 1)] * 3)
        async with store.transaction(ONE) as tx:
            again = [await tx.end_sessions(revocation, 1) for _ in range(3)]
            assert [[one.serial for one in some] for some in again] == [[5], [], [50]]
            assert await tx.more_to_end(revocation)
            assert not await tx.end_sessions(revocation, 1)
            assert not await tx.more_to_end(revocation)

    @pytest.mark.parametrize("scope", [OfSubject(subject=ANN), OfTenant()])
    async def test_a_slice_stops_where_its_ends_owe_many_notices(
        self, store: IndexStore, scope: Scope
    ) -> None:
        await fill(store, 0)
        seats = tuple(
            Participant(client=ClientId(f"c{number}"), sid="x", account="a")
            for number in range(249)
        )
        revocation = a_revocation(6, scope)
        async with store.transaction(ONE) as tx:
            await tx.put_client(a_client("always", always=True))
            for number in range(1, 6):
                await tx.add_session(a_session(number, participants=seats))
            await serials_up_to(tx, 6)
            await tx.add_revocation(revocation)
        slices: list[tuple[list[int], bool]] = []
        for _ in range(3):
            async with store.transaction(ONE) as tx:
                done = await tx.end_sessions(revocation, 100)
                slices.append(([one.serial for one in done], await tx.more_to_end(revocation)))
        assert slices == [([1, 2], True), ([3, 4], True), ([5], False)]

    @pytest.mark.parametrize(
        ("scope", "ended"),
        [
            (OneSession(session=SessionId("s2")), [2]),
            (OneSession(session=SessionId("s9")), []),
            (OfSubject(subject=ANN), [1, 2]),
            (OfSubject(subject=ANN, keep=SessionId("s2")), [1]),
            (OfSubject(subject=ANN, dialect=APP), [2]),
            (OfSubject(subject=ANN, dialect=APP, keep=SessionId("s2")), []),
            (OfDialect(dialect=APP), [2, 4]),
            (OfTenant(), [1, 2, 3, 4]),
            (OfTenant(keep=SessionId("s3")), [1, 2, 4]),
        ],
    )
    async def test_a_revocation_takes_effect_at_once_and_sweeping_ends_the_same(
        self, store: IndexStore, scope: Scope, ended: list[int]
    ) -> None:
        await fill(store, 0)
        rows = [
            a_session(1),
            a_session(2, dialect=APP),
            a_session(3, subject=BOB),
            a_session(4, subject=BOB, dialect=APP),
        ]
        async with store.transaction(ONE) as tx:
            for row in rows:
                await tx.add_session(row)
            await serials_up_to(tx, 5)
            await tx.add_revocation(a_revocation(5, scope))
        found = [await store.find(row.token_hash) for row in rows]
        refused = [one.session.serial for one in found if one and one.revoked_before > 4]
        assert refused == ended
        async with store.transaction(ONE) as tx:
            done = await tx.end_sessions(a_revocation(5, scope), 100)
        assert [one.serial for one in done] == ended

    @pytest.mark.parametrize(
        ("scope", "ended"),
        [
            (OfSubject(subject=ANN), [1, 2, 4, 5]),
            (OfSubject(subject=ANN, keep=SessionId("s4")), [1, 2, 5]),
            (OfSubject(subject=ANN, dialect=APP), [2, 5]),
            (OfSubject(subject=BOB), [2, 3, 4, 5]),
            (OfSubject(subject=BOB, dialect=APP), [2, 5]),
            (OfDialect(dialect=APP), [2, 5]),
        ],
    )
    async def test_whoever_sits_in_a_session_takes_it_along(
        self, store: IndexStore, scope: Scope, ended: list[int]
    ) -> None:
        await fill(store, 0)
        rows = [
            a_session(1),
            a_session(2, dialect=APP, impersonator=BOB),
            a_session(3, subject=BOB),
            a_session(4, subject=BOB, impersonator=ANN),
            a_session(5, subject=BOB, dialect=APP, impersonator=ANN),
        ]
        rule = a_revocation(6, scope)
        async with store.transaction(ONE) as tx:
            for row in rows:
                await tx.add_session(row)
            await serials_up_to(tx, 6)
            assert [one.serial for one in rows if rule.ends(one)] == ended
            await tx.add_revocation(rule)
        found = [await store.find(row.token_hash) for row in rows]
        assert [one.session.serial for one in found if one and one.revoked_before > 5] == ended
        async with store.transaction(ONE) as tx:
            first = await tx.end_sessions(rule, 1)
            rest = await tx.end_sessions(rule, 100)
            assert [one.serial for one in (*first, *rest)] == ended
            assert not await tx.end_sessions(rule, 100)
            whose = [*await tx.unended_of(ANN), *await tx.unended_of(BOB)]
        assert sorted(one.serial for one in whose) == [n for n in range(1, 6) if n not in ended]

    async def test_several_revocations_combine_and_the_highest_that_covers_wins(
        self, store: IndexStore
    ) -> None:
        s1, s2, s3 = SessionId("s1"), SessionId("s2"), SessionId("s3")
        scopes: dict[int, Scope] = {
            10: OfTenant(),
            11: OfSubject(subject=ANN, keep=s1),
            12: OfSubject(subject=ANN, keep=s1),
            13: OfTenant(keep=s2),
            14: OfSubject(subject=BOB),
            15: OfDialect(dialect=APP),
            16: OfSubject(subject=ANN, dialect=WEB, keep=s3),
        }
        await fill(store)
        async with store.transaction(ONE) as tx:
            expected = dict.fromkeys((s1, s2, s3), 0)
            for serial, scope in scopes.items():
                revocation = a_revocation(serial, scope)
                await tx.add_revocation(revocation)
                for one in expected:
                    row = await tx.session(one)
                    assert row is not None
                    if revocation.ends(row):
                        expected[one] = serial
                    assert await tx.covered_by(row) == expected[one], f"{one} after {serial}"
            assert await tx.revoked_before(ANN, WEB) == 16
            assert await tx.revoked_before(ANN, APP) == 15
            assert await tx.revoked_before(BOB, WEB) == 14
            newcomer = a_session(99, subject=ANN)
            assert await tx.covered_by(newcomer) == 16

    @pytest.mark.parametrize("seed", range(5))
    async def test_combining_is_what_going_through_all_of_them_says(
        self, store: IndexStore, seed: int
    ) -> None:
        chance = random.Random(seed)
        keeps = (None, SessionId("s1"), SessionId("s2"), SessionId("s3"))
        made: list[Revocation] = []
        await fill(store, 4)
        async with store.transaction(ONE) as tx:
            for number, sitter in ((5, BOB), (6, SubjectId("eve"))):
                dialect = chance.choice((WEB, APP))
                await tx.add_session(a_session(number, impersonator=sitter, dialect=dialect))
            rows = [await tx.session(SessionId(f"s{number}")) for number in range(1, 7)]
            for serial in range(10, 40):
                keep, subject = chance.choice(keeps), chance.choice((ANN, BOB))
                scope: Scope = chance.choice(
                    (
                        OneSession(session=chance.choice(keeps[1:]) or SessionId("s9")),
                        OfSubject(subject=subject, keep=keep),
                        OfSubject(subject=subject, dialect=chance.choice((WEB, APP)), keep=keep),
                        OfDialect(dialect=APP),
                        OfTenant(keep=keep or SessionId("s4")),
                    )
                )
                made.append(a_revocation(serial, scope))
                await tx.add_revocation(made[-1])
                for row in rows:
                    assert row is not None
                    expected = max((one.serial for one in made if one.ends(row)), default=0)
                    assert await tx.covered_by(row) == expected, f"{row.id} after {made}"

    async def test_receipts_count_until_complete(self, store: IndexStore) -> None:
        await fill(store)
        async with store.transaction(ONE) as tx:
            await tx.add_revocation(a_revocation(9))
            with pytest.raises(Conflict):
                await tx.add_revocation(a_revocation(9))
        assert list(await store.unswept()) == [(ONE, "r9")]
        async with store.transaction(ONE) as tx:
            await tx.progress(ReceiptId("r9"), 2, complete=False)
        assert list(await store.unswept()) == [(ONE, "r9")]
        async with store.transaction(ONE) as tx:
            await tx.progress(ReceiptId("r9"), 1, complete=True)
            receipt = await tx.receipt(ReceiptId("r9"))
            assert receipt is not None
            assert (receipt.sessions_ended, receipt.complete) == (3, True)
            assert receipt.revocation == a_revocation(9)
        assert not await store.unswept()

    async def test_deadlines_are_noticed_until_the_session_has_ended(
        self, store: IndexStore
    ) -> None:
        await fill(store)
        found = await store.find(token_of(2))
        assert found is not None
        store.touch(found, Instant(NOW + 60_000))
        await store.record_uses()
        async with store.transaction(ONE) as tx:
            await tx.end_session(SessionId("s3"), GONE)
        lapse = Instant(NOW + IDLE)
        assert not await store.past_deadline(Instant(lapse - 1), 10)
        for _ in range(2):
            assert list(await store.past_deadline(lapse, 10)) == [(ONE, "s1")]
        assert len(await store.past_deadline(Instant(lapse + 60_000), 1)) == 1
        assert len(await store.past_deadline(Instant(lapse + 60_000), 10)) == 2
        async with store.transaction(ONE) as tx:
            await tx.end_session(SessionId("s1"), GONE)
        assert list(await store.past_deadline(Instant(lapse + 60_000), 10)) == [(ONE, "s2")]

    async def test_strikes_and_codes_are_kept_by_their_keys(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            await tx.put_strikes(some_strikes("k", 1))
            await tx.put_strikes(some_strikes("k", 2))
            await tx.put_strikes(some_strikes("l", 9))
            assert await tx.strikes("k") == some_strikes("k", 2)
            await tx.clear_strikes("k")
            await tx.clear_strikes("k")
            assert await tx.strikes("k") is None
            assert await tx.strikes("l") == some_strikes("l", 9)
            await tx.put_code(a_code(ANN, "login", mac="old"))
            await tx.put_code(a_code(ANN, "login"))
            await tx.put_code(a_code(ANN, "session:s1"))
            assert await tx.code(ANN, "login") == a_code(ANN, "login")
            await tx.drop_code(ANN, "login")
            await tx.drop_code(ANN, "login")
            assert await tx.code(ANN, "login") is None
            assert await tx.code(ANN, "session:s1") is not None
            assert await tx.code(BOB, "session:s1") is None

    async def test_audit_is_one_gap_free_chain_of_all_tenants(self, store: IndexStore) -> None:
        heard: list[int] = []
        store.on_record = lambda record: heard.append(record.seq)
        for number in range(6):
            tenant = (ONE, TWO)[number % 2]
            async with store.transaction(tenant) as tx:
                await tx.record(an_event(str(number), tenant))
            await undone(store, lambda tx: tx.record(an_event("undone")))
        rows: list[Record] = []
        for tenant in (ONE, TWO):
            async with store.transaction(tenant) as tx:
                rows += await tx.records()
                assert [one.seq for one in await tx.records(after=2, limit=1)] in ([3], [4])
        previous = GENESIS
        for number, row in enumerate(sorted(rows, key=lambda row: row.seq)):
            assert row.event == an_event(str(number), (ONE, TWO)[number % 2])
            assert row == chained(number + 1, previous, row.event)
            previous = row.digest
        assert heard == [1, 2, 3, 4, 5, 6]

    async def test_a_body_reads_the_records_it_has_made(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            await tx.record(an_event("a"))
        async with store.transaction(ONE) as tx:
            await tx.record(an_event("b"))
            await tx.record(an_event("c"))
            assert [one.event.target for one in await tx.records()] == ["a", "b", "c"]
            assert [one.event.target for one in await tx.records(limit=2)] == ["a", "b"]
            assert [one.event.target for one in await tx.records(after=2)] == ["c"]

    async def test_pruning_goes_by_age_alone(self, store: IndexStore) -> None:
        await fill(store, 0)
        old, young = GONE, End(at=Instant(NOW + HOUR), why=EndReason.LOGOUT)
        rows = (
            a_session(1, ended=old),
            a_session(2, ended=young),
            a_session(3, ended=old, expires=NOW + 3 * DAY),  # its token could still live
            a_session(4),
        )
        at = Instant(NOW + 2 * DAY)
        async with store.transaction(ONE) as tx:
            for row in rows:
                await tx.add_session(row)
            assert await tx.prune(NOW, at, 100) == 0  # `ended_before` excludes its own instant
            assert await tx.prune(Instant(NOW + 1), at, 100) == 1
            assert await tx.session(SessionId("s1")) is None
            assert await tx.session_with_token(token_of(1)) is None
            assert await tx.prune(Instant(NOW + 1), at, 100) == 0
            assert await tx.prune(at, Instant(NOW + 3 * DAY - 1), 1) == 1
            assert await tx.session(SessionId("s2")) is None
            assert await tx.session(SessionId("s3")) is not None
            assert await tx.prune(at, Instant(NOW + 3 * DAY), 100) == 1
            left = await tx.sessions(SessionQuery())
            assert [one.id for one in left.sessions] == ["s4"]
            assert await tx.prune(Instant(NOW + 900 * DAY), Instant(NOW + 901 * DAY), 100) == 0

    async def test_pruning_also_takes_strikes_codes_and_receipts_of_no_more_use(
        self, store: IndexStore
    ) -> None:
        before, at = Instant(NOW + DAY), Instant(NOW + 2 * DAY)
        async with store.transaction(ONE) as tx:
            await tx.put_strikes(some_strikes("old"))
            await tx.put_strikes(some_strikes("locked", locked_until=Instant(at + 1)))
            await tx.put_strikes(some_strikes("new", since=before))
            await tx.put_strikes(some_strikes("forgiven", count=0, since=before))
            await tx.put_code(a_code(purpose="dead", expires=at))
            await tx.put_code(a_code(purpose="alive", expires=Instant(at + 1)))
            for serial, done in ((1, True), (2, False)):
                await tx.add_revocation(a_revocation(serial))
                await tx.progress(ReceiptId(f"r{serial}"), 0, complete=done)
            await tx.add_revocation(a_revocation(3, at=before))
            await tx.progress(ReceiptId("r3"), 0, complete=True)
        gone = 0
        for _ in range(4):
            async with store.transaction(ONE) as tx:
                gone += await tx.prune(before, at, 1)
        assert gone == 4
        async with store.transaction(ONE) as tx:
            assert await tx.prune(before, at, 100) == 0
            kept = [bool(await tx.strikes(key)) for key in ("old", "locked", "new", "forgiven")]
            assert kept == [False, True, True, False]
            assert await tx.code(ANN, "dead") is None
            assert await tx.code(ANN, "alive") is not None
            receipts = [await tx.receipt(ReceiptId(f"r{serial}")) for serial in (1, 2, 3)]
            assert [receipt is not None for receipt in receipts] == [False, True, True]
            assert await tx.revoked_before(ANN, WEB) == 3
