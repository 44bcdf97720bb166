"""The power goes at any moment: nothing that was answered is taken back."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lastcall.domain.audit import GENESIS, chained
from lastcall.domain.logout import OfSubject
from lastcall.domain.session import State, state_of
from lastcall.domain.types import Instant, SessionId
from lastcall.ports import Transaction
from lastcall.stores.sqlite import SqliteStore
from tests.contract.rows import (
    ANN,
    BOB,
    GONE,
    NOW,
    ONE,
    a_revocation,
    a_session,
    an_event,
    fill,
    token_of,
)
from tests.faults.vfs import Disk, Wrote, after_power_cut, mounted

WITNESS = "store.db.witness"

AT_ONCE = 8
"""Lives: on a slow machine too few of them share a commit for there to be but a few commits."""


@dataclass
class Recording:
    """What was answered, each with how much had been done to the disk by then."""

    disk: Disk
    begun: dict[int, int] = field(default_factory=dict)
    started: dict[int, int] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    seen_ended: dict[int, int] = field(default_factory=dict)
    filled: int = 0
    closing: int = 0

    @property
    def now(self) -> int:
        return len(self.disk.events)


async def live(recording: Recording, path: Path, vfs: str, seed: int) -> None:
    """Logins, logouts of one and of many, uses, and checks, many at a time."""
    chance = random.Random(seed)
    witness = path.with_name(WITNESS)

    def step(name: str) -> None:
        if name == "witnessed":  # it is not on this disk, but it loses power just the same
            recording.disk.note(Wrote(WITNESS, 0, witness.read_bytes()))

    store = await SqliteStore.open(path, vfs=vfs, step=step, checkpoint_pages=40)
    step("witnessed")
    await fill(store, 0)
    recording.filled = recording.now
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(number: int) -> None:
        async with places:
            await one_life(recording, store, number, chance)

    await asyncio.gather(*(in_turn(number) for number in range(1, 61)))
    recording.closing = recording.now
    await store.close()


async def one_life(
    recording: Recording, store: SqliteStore, number: int, chance: random.Random
) -> None:
    await asyncio.sleep(chance.random() * 0.03)
    subject = (ANN, BOB)[number % 2]
    async with store.transaction(ONE) as tx:
        serial = await tx.next_serial()
        await tx.add_session(a_session(number, serial=serial, subject=subject))
        await tx.record(an_event(f"login {number}"))
        recording.begun[number] = serial
    recording.started[number] = recording.now
    await asyncio.sleep(chance.random() * 0.03)
    found = await store.find(token_of(number))
    if found is not None:
        store.touch(found, Instant(NOW + number))
    if number % 3 == 0:
        return
    task = asyncio.create_task(log_out(recording, store, number))
    await asyncio.sleep(0)
    found = await store.find(token_of(number))
    assert found is not None
    if state_of(found.session, NOW, found.revoked_before) is not State.LIVE:
        recording.seen_ended.setdefault(number, recording.now)
    await task


async def log_out(recording: Recording, store: SqliteStore, number: int) -> None:
    async with store.transaction(ONE) as tx:
        ended = await log_out_many(tx) if number == 40 else [number]
        for one in ended:
            recording.asked.setdefault(one, recording.now)
        if number != 40:
            await tx.end_session(SessionId(f"s{number}"), GONE)
        await tx.record(an_event(f"logout {number}"))
    for one in ended:
        recording.ended.setdefault(one, recording.now)


async def log_out_many(tx: Transaction) -> list[int]:
    """All of ann's sessions by one revocation, of which two rows are ended at once."""
    revocation = a_revocation(await tx.next_serial(), OfSubject(subject=ANN))
    mine = [int(one.id[1:]) for one in await tx.unended_of(ANN)]
    await tx.add_revocation(revocation)
    await tx.end_sessions(revocation, 2)
    return mine


async def verify(recording: Recording, path: Path, cut: int) -> None:
    store = await SqliteStore.open(path)
    for number, acked in recording.started.items():
        found = await store.find(token_of(number))
        assert found is not None or acked > cut, f"login {number} was answered and is gone"
        if found is None:
            continue
        state = state_of(found.session, NOW, found.revoked_before)
        answered = min(
            recording.ended.get(number, cut + 1), recording.seen_ended.get(number, cut + 1)
        )
        assert state is not State.LIVE or answered > cut, f"{number} ended and lives again"
        asked = recording.asked.get(number, cut + 1)
        assert state is State.LIVE or asked <= cut, f"{number} was ended by nobody"
    previous = GENESIS
    async with store.transaction(ONE) as tx:
        for at, record in enumerate(await tx.records(limit=1_000), 1):
            assert record == chained(at, previous, record.event)
            previous = record.digest
    await store.close()


async def cuts(folder: Path, seed: int, number: int) -> None:
    recording = Recording(Disk())
    (folder / "life").mkdir()
    with mounted(recording.disk) as vfs:
        await live(recording, folder / "life" / "store.db", vfs, seed)
    events = recording.disk.events
    amid = events[recording.filled : recording.closing]
    assert any(event.file == "store.db" and isinstance(event, Wrote) for event in amid)
    chance = random.Random(seed)
    for one in range(number):
        cut = chance.randrange(len(events) + 1)
        place = folder / f"cut-{one}"
        place.mkdir()
        for name, content in after_power_cut(events[:cut], chance).items():
            (place / name).write_bytes(content)
        witnesses = [event for event in events[:cut] if event.file == WITNESS]
        if witnesses:
            kept = chance.choice(witnesses)
            assert isinstance(kept, Wrote)
            (place / WITNESS).write_bytes(kept.data)
        await verify(recording, place / "store.db", cut)


@pytest.mark.fault
async def test_nothing_answered_is_lost(tmp_path: Path) -> None:
    await cuts(tmp_path, seed=1, number=60)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
async def test_nothing_answered_is_lost_at_length(tmp_path: Path, seed: int) -> None:
    await cuts(tmp_path, seed, number=250)
