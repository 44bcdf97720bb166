"""Subjects, sessions and how they are listed."""

from typing import Any

import pytest

from lastcall.domain.errors import Conflict, NotFound
from lastcall.domain.logout import OfSubject
from lastcall.domain.session import End, Session
from lastcall.domain.types import DAY, EndReason, Instant, Serial, SessionId
from lastcall.index import IndexStore
from lastcall.ports import Found, SessionQuery, Transaction
from tests.contract.changes import Change, do, rename
from tests.contract.rows import (
    ANN,
    APP,
    BOB,
    GONE,
    IDLE,
    NOW,
    ONE,
    TWO,
    a_revocation,
    a_session,
    a_subject,
    fill,
    hashed,
    token_of,
)


async def in_slices(
    tx: Transaction, query: SessionQuery, size: int, below: Serial | None = None
) -> list[Session | None]:
    found: list[Session | None] = []
    while True:
        rows, below = await tx.sessions_below(below, query, size)
        found += rows
        if below is None:
            return found


class Rows:
    async def test_subjects_are_found_by_name_and_address(self, store: IndexStore) -> None:
        await fill(store)
        async with store.transaction(ONE) as tx:
            ann = a_subject("ann")
            assert await tx.subject_named("ann") == ann
            assert await tx.subject_named("Ann") is None
            assert await tx.subject_with_email("ANN@Example.com") == ann
            assert [one.username for one in await tx.subjects(limit=1)] == ["ann"]
            assert [one.username for one in await tx.subjects("ann", 5)] == ["bob"]
            await tx.add_subject(a_subject("cat", email="Ann@example.com"))
            assert await tx.subject_with_email("ann@example.com") is None
            await tx.remove_subject(ANN)
            cat = await tx.subject_with_email("ann@example.com")
            assert cat is not None
            assert cat.username == "cat"
            assert await tx.subject_with_email("") is None

    async def test_a_username_belongs_to_one(self, store: IndexStore) -> None:
        await fill(store)
        taking: tuple[Change, ...] = (
            lambda tx: tx.add_subject(a_subject("other", username="ann")),
            lambda tx: tx.add_subject(a_subject("ann", username="other")),
            lambda tx: tx.change_subject(a_subject("bob", username="ann")),
        )
        for taken in taking:
            with pytest.raises(Conflict):
                async with store.transaction(ONE) as tx:
                    await taken(tx)
        with pytest.raises(NotFound):
            async with store.transaction(ONE) as tx:
                await tx.change_subject(a_subject("nobody"))
        async with store.transaction(ONE) as tx:
            await rename(tx)
            assert await tx.subject_named("ann") is None
            await tx.add_subject(a_subject("new", username="ann"))

    async def test_serials_rise_and_are_never_reused(self, store: IndexStore) -> None:
        async with store.transaction(ONE) as tx:
            assert [await tx.next_serial(), await tx.next_serial()] == [1, 2]
            assert await tx.serial() == 2
        async with store.transaction(TWO) as tx:
            assert await tx.next_serial() == 1
        async with store.transaction(ONE) as tx:
            assert await tx.next_serial() == 3

    async def test_a_session_is_found_by_everything_it_is_known_by(self, store: IndexStore) -> None:
        await fill(store, 1)
        session = a_session(1)
        async with store.transaction(ONE) as tx:
            assert await tx.session(SessionId("s1")) == session
            assert await tx.session_with_token(token_of(1)) == session
            assert await tx.unended_of(ANN) == (session,)
        assert await store.find(token_of(1)) == Found(
            session=session, subject=a_subject("ann"), revoked_before=Serial(0)
        )
        assert await store.find(token_of(2)) is None
        assert await store.live_sessions() == 1

    async def test_ids_and_tokens_are_not_given_twice(self, store: IndexStore) -> None:
        await fill(store)
        await do(store, lambda tx: tx.renew(a_session(1, refresh_hash=hashed("r"))))
        twice = (
            a_session(9, id=SessionId("s1")),
            a_session(9, token_hash=token_of(1)),
            a_session(9, refresh_hash=hashed("r")),
            a_session(9, spent=(hashed("r"),)),
        )
        for session in twice:
            with pytest.raises(Conflict):
                async with store.transaction(ONE) as tx:
                    await tx.add_session(session)
        with pytest.raises(Conflict):
            async with store.transaction(ONE) as tx:
                await tx.renew(a_session(1, token_hash=token_of(2)))

    async def test_ending_happens_once(self, store: IndexStore) -> None:
        await fill(store)
        later = End(at=Instant(NOW + 5), why=EndReason.IDLE)
        async with store.transaction(ONE) as tx:
            tombstone = await tx.end_session(SessionId("s1"), GONE)
            assert tombstone == a_session(1, ended=GONE)
            assert await tx.end_session(SessionId("s1"), later) is None
            assert await tx.end_session(SessionId("nobody"), later) is None
            assert await tx.session(SessionId("s1")) == tombstone
            assert await tx.session_with_token(token_of(1)) == tombstone
            assert [one.id for one in await tx.unended_of(ANN)] == ["s2", "s3"]
        found = await store.find(token_of(1))
        assert found is not None
        assert found.session.ended == GONE
        assert await store.live_sessions() == 2

    async def test_renew_writes_secrets_and_factors_and_nothing_else(
        self, store: IndexStore
    ) -> None:
        await fill(store, 1)
        secrets: dict[str, Any] = {
            "token_hash": hashed("new"),
            "token_expires": Instant(NOW + 7),
            "refresh_hash": hashed("r2"),
            "spent": (hashed("r1"),),
            "factors": (),
        }
        stale = a_session(1, last_seen=NOW - 5, address="changed", expires=NOW + 1, **secrets)
        found = await store.find(token_of(1))
        assert found is not None
        store.touch(found, Instant(NOW + 3))
        await store.record_uses()
        async with store.transaction(ONE) as tx:
            assert await tx.renew(stale) == a_session(1, last_seen=NOW + 3, **secrets)
            assert await tx.session_with_token(token_of(1)) is None
            current = await tx.session_with_refresh(hashed("r2"))
            assert current == await tx.session_with_refresh(hashed("r1"))
            assert current == await tx.session_with_token(hashed("new"))
        assert await store.find(token_of(1)) is None
        assert await store.find(hashed("new")) is not None

    async def test_an_ended_session_is_never_renewed(self, store: IndexStore) -> None:
        await fill(store, 1)
        async with store.transaction(ONE) as tx:
            await tx.renew(a_session(1, refresh_hash=hashed("r")))
            await tx.end_session(SessionId("s1"), GONE)
            assert await tx.renew(a_session(1, token_hash=hashed("new"))) is None
            assert await tx.renew(a_session(5)) is None
            ended = await tx.session_with_refresh(hashed("r"))
            assert ended is not None
            assert ended.ended == GONE
            assert ended.token_hash == token_of(1)

    async def test_touch_remembers_the_latest_use_and_revives_nothing(
        self, store: IndexStore
    ) -> None:
        await fill(store)
        finds = [await store.find(token_of(number)) for number in (1, 2, 3)]
        one, two, three = (found for found in finds if found is not None)
        store.touch(one, Instant(NOW + 8))
        store.touch(one, Instant(NOW + 4))
        store.touch(three, Instant(NOW + IDLE))  # too late: it has lapsed at that very instant
        await store.record_uses()
        async with store.transaction(ONE) as tx:
            await tx.end_session(SessionId("s2"), GONE)
        store.touch(two, Instant(NOW + 8))
        await store.record_uses()
        async with store.transaction(ONE) as tx:
            seen = [await tx.session(SessionId(f"s{number}")) for number in (1, 2, 3)]
        assert [row and row.last_seen - NOW for row in seen] == [8, 0, 0]
        assert seen[1] is not None
        assert seen[1].ended == GONE

    async def test_a_session_without_its_account_is_not_found(self, store: IndexStore) -> None:
        await fill(store, 1)
        async with store.transaction(ONE) as tx:
            await tx.remove_subject(ANN)
        assert await store.find(token_of(1)) is None

    async def test_live_ones_are_gone_through_in_slices(self, store: IndexStore) -> None:
        await fill(store, 6)
        await fill(store, 3, tenant=TWO)
        async with store.transaction(ONE) as tx:
            await tx.end_session(SessionId("s2"), GONE)
        async with store.transaction(ONE) as tx:
            found: list[list[int]] = []
            at: Serial | None = Serial(0)
            while at is not None:
                rows, at = await tx.live_slice(at, Serial(6), NOW, 2)
                found.append([row.serial for row in rows])
            assert found == [[1], [3, 4], [5]]
            assert await tx.live_slice(Serial(7), Serial(99), NOW, 2) == ([], None)
            late = await tx.live_slice(Serial(0), Serial(99), Instant(NOW + IDLE), 99)
            assert late == ([], None)

    async def test_slices_go_on_where_one_ended_whatever_went_meanwhile(
        self, store: IndexStore
    ) -> None:
        await fill(store, 6)
        async with store.transaction(ONE) as tx:
            await tx.end_session(SessionId("s2"), GONE)
        async with store.transaction(ONE) as tx:
            rows, below = await tx.sessions_below(None, SessionQuery(), 3)
            assert ([one.serial for one in rows], below) == ([6, 5, 4], 4)
            assert await tx.prune(Instant(NOW + 9 * DAY), Instant(NOW + 10 * DAY), 9) == 1
            assert await in_slices(tx, SessionQuery(), 2, Serial(4)) == [
                await tx.session(SessionId(f"s{number}")) for number in (3, 1)
            ]
            assert await tx.sessions_below(Serial(1), SessionQuery(), 9) == ([], None)

    async def test_listing_filters_and_pages(self, store: IndexStore) -> None:
        await fill(store, 0)
        rows = (
            a_session(1),
            a_session(2, subject=BOB, dialect=APP),
            a_session(3, address="198.51.100.9"),
            a_session(4, expires=NOW + 1),
            a_session(5, ended=GONE),
        )
        async with store.transaction(ONE) as tx:
            for row in rows:
                await tx.add_session(row)

            async def listed(**asked: object) -> list[int]:
                """At once and in slices of any size alike."""
                query = SessionQuery(**asked)  # type: ignore[arg-type]
                page = await tx.sessions(query)
                assert page.total == len(page.sessions)
                for size in (1, 2, 3, 5, 6):
                    assert await in_slices(tx, query, size) == list(page.sessions)
                return [one.serial for one in page.sessions]

            assert await listed() == [5, 4, 3, 2, 1]
            assert await listed(live_at=Instant(NOW)) == [4, 3, 2, 1]
            assert await listed(live_at=Instant(NOW + 1)) == [3, 2, 1]
            assert await listed(subject=ANN) == [5, 4, 3, 1]
            assert await listed(subject=ANN, live_at=Instant(NOW)) == [4, 3, 1]
            assert await listed(subject=ANN, live_at=Instant(NOW), dialect=APP) == []
            assert await listed(dialect=APP) == [2]
            assert await listed(address="198.51.100.9") == [3]
            assert await listed(text="S3") == [3]
            assert await listed(text="firefox") == [5, 4, 3, 2, 1]
            assert await listed(text="s3", or_subjects=frozenset({BOB})) == [3, 2]
            await tx.add_revocation(a_revocation(3, OfSubject(subject=ANN)))
            assert await listed(live_at=Instant(NOW)) == [4, 3, 2]

            first = await tx.sessions(SessionQuery(limit=2))
            assert ([one.serial for one in first.sessions], first.total, first.next) == (
                [5, 4],
                5,
                4,
            )
            last = await tx.sessions(SessionQuery(limit=2, before=Serial(3)))
            assert ([one.serial for one in last.sessions], last.next) == ([2, 1], None)
            skipped = await tx.sessions(SessionQuery(limit=1, offset=1))
            assert ([one.serial for one in skipped.sessions], skipped.next) == ([4], 4)
            nothing = await tx.sessions(SessionQuery(limit=0))
            assert (nothing.sessions, nothing.total, nothing.next) == ((), 5, None)

    async def test_paging_shows_each_session_once_while_others_come_and_go(
        self, store: IndexStore
    ) -> None:
        await fill(store, 9)
        seen: list[int] = []
        before: Serial | None = None
        for step in range(9):
            async with store.transaction(ONE) as tx:
                page = await tx.sessions(SessionQuery(limit=1, before=before, live_at=NOW))
                seen += [one.serial for one in page.sessions]
                await tx.add_session(a_session(await tx.next_serial()))
                await tx.end_session(SessionId(f"s{9 - step}"), GONE)
            before = page.next
        assert seen == [9, 8, 7, 6, 5, 4, 3, 2, 1]
