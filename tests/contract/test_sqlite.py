"""The SQLite store keeps the contract, and keeps everything else over a restart."""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest

from lastcall.domain.errors import Invalid, StoreUnavailable
from lastcall.domain.factor import Factor, Method
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.types import DAY, HOUR, Instant, ReceiptId, SessionId
from lastcall.index import IndexStore
from lastcall.index.tables import FEW
from lastcall.stores.sqlite import NotOurs, SqliteStore, StoreInUse, opening
from lastcall.stores.sqlite.loading import load
from tests.contract.changes import A_SEAT, add, do, fill_with_everything, finds, undone
from tests.contract.gates import StepGate, turns, until
from tests.contract.rows import (
    APP,
    BOB,
    GONE,
    IDLE,
    NOW,
    ONE,
    TWO,
    WEB,
    a_revocation,
    a_session,
    a_subject,
    an_event,
    fill,
    hashed,
    serials_up_to,
    token_of,
)
from tests.contract.snapshot import snapshot
from tests.contract.store import StoreContract

IDLE_SINCE = Instant(NOW + IDLE)
QUICK = next((path for path in ["/dev/shm"] if Path(path).is_dir()), None)  # noqa: S108
"""A folder where syncs take no time, if there is one."""


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def gate(self) -> StepGate:
        return StepGate()

    @pytest.fixture
    async def store(self, gate: StepGate) -> AsyncIterator[IndexStore]:
        """No power is cut here."""
        with TemporaryDirectory(dir=QUICK) as folder:
            store = await SqliteStore.open(Path(folder) / "store.db", step=gate)
            yield store
            await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, **options)
    try:
        yield store
    finally:
        await store.close()


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def contents(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


async def test_a_restart_changes_nothing(path: Path) -> None:
    async with opened(path) as store:
        await fill_with_everything(store)
        await fill(store, tenant=TWO)
        async with store.transaction(ONE) as tx:
            await tx.add_session(
                a_session(10, refresh_hash=hashed("r10"), spent=(hashed("r8"), hashed("r9")))
            )
            await tx.add_session(a_session(11, factors=(), participants=()))  # with nothing rare
            await tx.end_session(SessionId("s2"), GONE)
            await serials_up_to(tx, 30)
            for serial, scope in (
                (20, OneSession(session=SessionId("s1"))),
                (21, OfDialect(dialect=APP)),
                (22, OfSubject(subject=BOB, dialect=APP, keep=SessionId("s9"))),
            ):
                await tx.add_revocation(a_revocation(serial, scope))
            await tx.progress(ReceiptId("r20"), 1, complete=True)
        async with store.transaction(TWO) as tx:
            await tx.remove_subject(BOB)
            await tx.record(an_event("second", TWO))
        before, lapsed = snapshot(store.index), await store.past_deadline(IDLE_SINCE, 100)
    async with opened(path) as store:
        assert snapshot(store.index) == before
        assert set(await store.past_deadline(IDLE_SINCE, 100)) == set(lapsed) != set()
        assert sorted(one for _, one in await store.unswept()) == ["r21", "r22", "r9"]
        async with store.transaction(ONE) as tx:
            await tx.record(an_event("third"))
            rows = await tx.records()
            assert await tx.next_serial() == 31
        assert [row.seq for row in rows] == [1, 3]
        assert rows[1].previous != rows[0].digest
        assert store.floor == NOW


async def test_serials_go_on_though_the_rows_that_had_them_are_gone(path: Path) -> None:
    async with opened(path) as store, store.transaction(ONE) as tx:
        await serials_up_to(tx, 7)
    async with opened(path) as store, store.transaction(ONE) as tx:
        assert await tx.next_serial() == 8


async def test_uses_are_written_late_and_only_to_sessions_that_live(path: Path) -> None:
    gate = StepGate()
    async with opened(path, step=gate) as store:
        await fill(store)
        commits = gate.steps.count("committed")
        for number in (1, 2):
            found = await store.find(token_of(number))
            assert found is not None
            store.touch(found, Instant(NOW + HOUR // 4))
        await turns()
        assert gate.steps.count("committed") == commits
        await do(store, lambda tx: tx.end_session(SessionId("s2"), GONE))
    async with opened(path) as store, store.transaction(ONE) as tx:
        rows = [await tx.session(SessionId(f"s{number}")) for number in (1, 2, 3)]
        assert [row and row.last_seen - NOW for row in rows] == [HOUR // 4, HOUR // 4, 0]
        assert [row is not None and row.ended for row in rows] == [None, GONE, None]
        assert store.floor == NOW + HOUR // 4


@pytest.mark.slow
async def test_uses_are_written_after_a_moment(path: Path) -> None:
    async with opened(path) as store:
        await fill(store, 1)
        found = await store.find(token_of(1))
        assert found is not None
        store.touch(found, Instant(NOW + 9))
        with closing(apsw.Connection(str(path))) as reader:
            await until(lambda: reader.execute("SELECT last_seen FROM sessions").get == NOW + 9)


async def test_text_that_cannot_be_stored_is_refused_and_undone(path: Path) -> None:
    async with opened(path) as store:
        await fill(store, 1)
        before = snapshot(store.index)
        broken = (
            a_subject("cat", first_name="\ud800"),
            a_subject("cat", groups=("g", "\ud800")),
            a_subject("cat", profile={"\udc00": 1}),
            a_subject("cat", totp_step=2**63),
        )
        for subject in broken:
            with pytest.raises(Invalid):
                await do(store, lambda tx, one=subject: tx.add_subject(one))  # type: ignore[misc]
            assert snapshot(store.index) == before
        assert store.failed is None
        odd = a_subject("nul", first_name="a\0b\u2028 \U0001f511")
        await do(store, lambda tx: tx.add_subject(odd))
    async with opened(path) as store:
        assert await do(store, lambda tx: tx.subject_named("nul")) == odd


async def test_files_are_for_their_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(path) as store:
            await fill(store)
            for file in path.parent.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    finally:
        os.umask(before)


async def test_a_database_has_one_process(path: Path) -> None:
    async with opened(path):
        with pytest.raises(StoreInUse, match=r"in use by another process .*store\.db\.lock"):
            await SqliteStore.open(path)
    async with opened(path):
        pass


async def test_tokens_are_on_disk_as_hashes_only(path: Path) -> None:
    async with opened(path) as store:
        await fill(store)
        text = b"".join(contents(file) for file in path.parent.iterdir())
    assert bytes(token_of(1)) in text
    assert b"one:1" not in text


async def test_a_newer_schema_is_refused(path: Path) -> None:
    async with opened(path):
        pass
    with closing(apsw.Connection(str(path))) as db:
        db.pragma("user_version", 99)
    with pytest.raises(NotOurs, match="schema 99 is newer"):
        await SqliteStore.open(path)


async def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = contents(path)
    with pytest.raises(NotOurs, match="some other program"):
        await SqliteStore.open(path)
    assert contents(path) == before


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    put(path, b"a text file\n" * 100)
    with pytest.raises(NotOurs, match=r"store\.db is not a database"):
        await SqliteStore.open(path)


async def test_closing_twice_is_closing(path: Path) -> None:
    async with opened(path) as store:
        await fill(store, 1)
        assert await finds(store, 1)
        await store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.find(token_of(1))
        with pytest.raises(StoreUnavailable, match="closed"):
            await add(store, a_session(2))


async def test_the_start_tells_how_far_it_has_come(path: Path) -> None:
    async with opened(path) as store:
        await fill(store, 3)
    told: list[tuple[int, int]] = []
    async with opened(path, progress=lambda done, total: told.append((done, total))):
        assert told == [(3, 3)]


async def test_texts_many_sessions_share_are_on_disk_once(path: Path) -> None:
    async with opened(path) as store:
        await fill(store, 3)
        with pytest.raises(Invalid):
            await add(store, a_session(4, user_agent="half \ud800"))
        await add(store, a_session(5, user_agent="another"))
        before = snapshot(store.index)
    with closing(apsw.Connection(str(path))) as db:
        assert db.execute("SELECT count(*) FROM agents").get == 2
    async with opened(path) as store:
        assert snapshot(store.index) == before
        await add(store, a_session(6, user_agent="another"))
    with closing(apsw.Connection(str(path))) as db:
        assert db.execute("SELECT count(*) FROM agents").get == 2


async def test_what_few_sessions_have_is_read_again(path: Path) -> None:
    """One at a time: at the start the row of a session that has none of it takes the short way."""
    plain = (Factor(method=Method.PASSWORD, at=NOW),)
    rare: tuple[dict[str, Any], ...] = (
        {},
        {"factors": ()},
        {"factors": (*plain, Factor(method=Method.TOTP, at=NOW, context="here"))},
        {"participants": (A_SEAT,)},
        {"token_expires": NOW},
        {"refresh_hash": hashed("r")},
        {"spent": (hashed("s"), hashed("t"))},
        {"impersonator": BOB},
        {"created": 2**62, "expires": 2**62, "last_seen": -(2**63)},
        {"idle": None, "ended": GONE},
    )
    async with opened(path) as store:
        await fill(store, 0)
        for number, more in enumerate(rare, 1):
            await add(store, a_session(number, **{"factors": plain, "participants": (), **more}))
        before = snapshot(store.index)
    async with opened(path) as store:
        assert snapshot(store.index) == before


@pytest.mark.parametrize("count", [FEW, FEW + 1])
async def test_uses_of_sessions_that_end_together_are_not_lost(path: Path, count: int) -> None:
    async with opened(path) as store:
        await fill(store, count)
        found = await store.find(token_of(2))
        assert found is not None
        store.touch(found, Instant(NOW + 9))
        rule = a_revocation(9)
        async with store.transaction(ONE) as tx:
            await tx.add_revocation(rule)
            ended = await tx.end_sessions(rule, 100)
            assert [one.last_seen - NOW for one in ended] == [0, 9, *[0] * (count - 2)]
            assert list(ended[1:3]) == [ended[1], ended[2]]
        before = snapshot(store.index)
    async with opened(path) as store:
        assert snapshot(store.index) == before


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (OfTenant(), set()),
        (OfTenant(keep=SessionId("s14")), {14}),
        (OfDialect(dialect=WEB), set(range(3, 41, 3))),
    ],
)
async def test_a_slice_is_on_disk_what_it_is_in_memory(
    path: Path, scope: Scope, left: set[int]
) -> None:
    """Whatever lies between its rows: ended before, gone, undone, another's, not in the scope."""
    async with opened(path) as store:
        await fill(store, 9, TWO)
        async with store.transaction(ONE) as tx:
            await tx.add_subject(a_subject("ann"))
            for number in range(1, 41):
                await serials_up_to(tx, number)
                await tx.add_session(a_session(number, dialect=WEB if number % 3 else APP))
            for number in (2, 8, 11):
                await tx.end_session(SessionId(f"s{number}"), GONE)
            assert await tx.prune(Instant(NOW + 1), Instant(NOW + 2 * DAY), 2) == 2
        await undone(store, lambda tx: tx.add_session(a_session(41)))
        rule = a_revocation(42, scope)
        async with store.transaction(ONE) as tx:
            await serials_up_to(tx, 42)
            await tx.add_revocation(rule)
        more = True
        while more:
            async with store.transaction(ONE) as tx:
                await tx.end_sessions(rule, 6)
                more = await tx.more_to_end(rule)
        before = snapshot(store.index)
    async with opened(path) as store:
        assert snapshot(store.index) == before
        assert {number for number in range(1, 41) if await finds(store, number)} == left
        assert await store.live_sessions() == len(left) + 9


async def test_a_database_of_before_is_brought_up_to_date(path: Path) -> None:
    """Its sessions are the same afterwards, whatever they share."""
    steps = opening.migrations()
    with closing(apsw.Connection(str(path))) as db:
        opening.migrate(db, steps[:3])
        for number, agent in enumerate(("one", "one", "two"), 1):
            device = '{"type":"","name":"' + agent + '","version":"","os_name":"","os_version":""}'
            known = ("one", number, f"s{number}", "ann", bytes([number]) * 32, "web", "api", "", 0)
            times = ("[]", 1, 1, None, 9, None, None, b"", "[]", None, None, None, None)
            db.execute(
                "INSERT INTO sessions VALUES (" + ", ".join("?" * 25) + ")",  # noqa: S608
                (*known, "host", agent, device, *times),
            )
        opening.migrate(db, steps)
        index = load(db)
    rows = [held.session for held in index.tokens.values()]
    assert [(row.user_agent, row.device.name) for row in rows] == [
        ("one", "one"),
        ("one", "one"),
        ("two", "two"),
    ]
