"""A write that finds another row on disk than memory has is none: it stops the store."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import OfSubject, OfTenant, Scope
from lastcall.domain.types import DAY, Instant, ReceiptId, SessionId
from lastcall.ports import Transaction
from lastcall.stores.sqlite import SqliteStore
from tests.contract.changes import Change, do
from tests.contract.rows import (
    ANN,
    BOB,
    GONE,
    NOW,
    ONE,
    a_revocation,
    a_session,
    fill,
    hashed,
    serials_up_to,
    token_of,
)

LATER, MUCH_LATER = Instant(NOW + DAY), Instant(NOW + 90 * DAY)


async def end_first(tx: Transaction) -> object:
    return await tx.end_session(SessionId("s1"), GONE)


async def prune(tx: Transaction) -> object:
    return await tx.prune(LATER, MUCH_LATER, 100)


async def a_receipt_long_done(tx: Transaction) -> None:
    await tx.add_revocation(a_revocation(20))
    await tx.progress(ReceiptId("r20"), 0, complete=True)


def ending(scope: Scope, limit: int) -> Change:
    return lambda tx: tx.end_sessions(a_revocation(20, scope), limit)


def meddle(path: Path, sql: str) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute(sql)
        assert db.changes() == 1


def on_disk(path: Path) -> Sequence[object]:
    """Also what a write that is refused must not have advanced: serials, the chain, the head."""
    with closing(apsw.Connection(str(path))) as db:
        tables = ("sessions", "revocations", "subjects", "tenants", "audit", "head")
        return [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]  # noqa: S608


LIVES = "UPDATE sessions SET ended_at = NULL, ended_why = NULL WHERE id = 's1'"
ENDED = "UPDATE sessions SET ended_at = 1, ended_why = 'logout' WHERE id = 's1'"


@pytest.mark.parametrize(
    ("before", "sql", "change"),
    [
        pytest.param(end_first, LIVES, prune, id="a session that lives is not removed"),
        pytest.param(
            a_receipt_long_done,
            "UPDATE revocations SET complete = 0 WHERE id = 'r20'",
            prune,
            id="a logout that is not complete is not removed",
        ),
        pytest.param(None, ENDED, end_first, id="an end"),
        pytest.param(None, ENDED, ending(OfTenant(), 1), id="one of a slice"),
        pytest.param(None, ENDED, ending(OfTenant(), 100), id="a slice of all rows"),
        pytest.param(None, ENDED, ending(OfSubject(subject=ANN), 100), id="ends together"),
        pytest.param(
            None, ENDED, lambda tx: tx.renew(a_session(1, token_hash=hashed("new"))), id="secrets"
        ),
        pytest.param(
            None,
            "DELETE FROM subjects WHERE id = 'ann'",
            lambda tx: tx.remove_subject(ANN),
            id="a subject",
        ),
        pytest.param(
            None,
            "DELETE FROM revocations",
            lambda tx: tx.progress(ReceiptId("r9"), 1, complete=True),
            id="progress",
        ),
        pytest.param(
            None,
            "UPDATE tenants SET serial = 99 WHERE tenant = 'one'",
            lambda tx: tx.next_serial(),
            id="a serial that somebody had",
        ),
    ],
)
async def test_what_is_not_on_disk_as_it_is_in_memory_stops_the_store(
    tmp_path: Path, before: Change | None, sql: str, change: Change
) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await fill(store, 6)
    async with store.transaction(ONE) as tx:
        await serials_up_to(tx, 30)
        await tx.add_revocation(a_revocation(9, OfSubject(subject=BOB)))
        if before is not None:
            await before(tx)
    meddle(path, sql)
    kept = on_disk(path)
    with pytest.raises(StoreUnavailable):
        await do(store, change)
    assert store.failed is not None
    await store.close()
    assert on_disk(path) == kept


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(ENDED, id="it has ended"),
        pytest.param("UPDATE sessions SET last_seen = 2e12 WHERE id = 's1'", id="used since"),
    ],
)
async def test_a_use_that_comes_too_late_for_its_row_is_left_out(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await fill(store, 1)
    found = await store.find(token_of(1))
    assert found is not None
    store.touch(found, Instant(NOW + 9))
    meddle(path, sql)
    kept = on_disk(path)[0]
    await store.record_uses()
    assert on_disk(path)[0] == kept
    assert store.failed is None
    await store.close()
