"""The checker against an exhaustive search, and both stores against the checker."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.logout import OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.session import State, state_of
from lastcall.domain.types import SessionId
from lastcall.index import IndexStore
from lastcall.stores.memory import AtOnce, MemoryStore
from lastcall.stores.sqlite import SqliteStore
from tests.checker import Answer, Broken, Call, broken, explained
from tests.contract.gates import GatedLog, StepGate
from tests.contract.rows import ANN, NOW, ONE, a_revocation, fill, token_of

instants = st.integers(0, 8)
answers = st.sampled_from(list(Answer))


@st.composite
def calls(draw: st.DrawFn) -> Call:
    asked, lasted, answer = draw(instants), draw(instants), draw(answers)
    return Call(asked, asked + lasted, answer)


@settings(max_examples=2_000, deadline=None)
@given(st.lists(calls(), max_size=6))
@pytest.mark.slow
def test_the_quick_verdict_is_the_exhaustive_one(history: list[Call]) -> None:
    assert (not broken(history)) == explained(history)


def test_each_way_of_being_wrong_is_named() -> None:
    logout = Call(1, 2, Answer.DONE)
    assert broken([logout, Call(3, 4, Answer.LIVE)]) == [
        (Broken.ACCEPTED_AFTER_LOGOUT, Call(3, 4, Answer.LIVE))
    ]
    lost = Call(1, 2, Answer.LOST)
    assert broken([lost, Call(2, 3, Answer.ENDED), Call(4, 5, Answer.LIVE)]) == [
        (Broken.CAME_BACK, Call(4, 5, Answer.LIVE))
    ]
    assert broken([Call(0, 0.5, Answer.ENDED), logout]) == [
        (Broken.ENDED_BY_NOBODY, Call(0, 0.5, Answer.ENDED))
    ]
    assert not broken([logout, Call(3, 4, Answer.LIVE)], staleness=1.5)
    assert not broken([Call(0, 5, Answer.REFUSED), Call(6, 7, Answer.LIVE)])


class Recorder:
    """Asks and writes down; its clock counts events, so no two share an instant."""

    def __init__(self, store: IndexStore) -> None:
        self.store = store
        self.histories: dict[int, list[Call]] = {}
        self._now = 0

    def tick(self) -> int:
        self._now += 1
        return self._now

    def note(self, number: int, asked: int, answer: Answer) -> None:
        self.histories.setdefault(number, []).append(Call(asked, self.tick(), answer))

    async def check(self, number: int) -> None:
        asked = self.tick()
        try:
            found = await self.store.find(token_of(number))
        except StoreUnavailable:
            return
        assert found is not None
        state = state_of(found.session, NOW, found.revoked_before)
        self.note(number, asked, Answer.LIVE if state is State.LIVE else Answer.ENDED)

    async def log_out(self, scope: Scope, numbers: list[int], *, sweep: bool) -> None:
        asked = self.tick()
        answer = Answer.DONE
        try:
            async with self.store.transaction(ONE) as tx:
                serial = await tx.next_serial()
                revocation = a_revocation(serial, scope)
                await tx.add_revocation(revocation)
                if sweep:
                    await tx.end_sessions(revocation, 2)
        except StoreUnavailable:
            answer = Answer.LOST
        for number in numbers:
            self.note(number, asked, answer)


SESSIONS = 6


@pytest.fixture(params=["memory", "sqlite"])
async def stage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[IndexStore, GatedLog | StepGate]]:
    if request.param == "memory":
        log = GatedLog(AtOnce())
        yield MemoryStore(log), log
        return
    gate = StepGate()
    store = await SqliteStore.open(tmp_path / "store.db", step=gate)
    yield store, gate
    await store.close()


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))]
)
async def test_concurrent_histories_are_those_of_a_true_register(
    stage: tuple[IndexStore, GatedLog | StepGate], seed: int
) -> None:
    store, gate = stage
    chance = random.Random(seed)
    await fill(store, SESSIONS)
    recorder = Recorder(store)
    everyone = list(range(1, SESSIONS + 1))
    scopes: list[tuple[Scope, list[int]]] = [
        (OneSession(session=SessionId("s1")), [1]),
        (OneSession(session=SessionId("s2")), [2]),
        (OfSubject(subject=ANN, keep=SessionId("s6")), everyone[:-1]),
        (OfTenant(), everyone),
    ]
    tasks: list[asyncio.Task[None]] = []

    async def step(action: int) -> None:
        if action < 85:
            tasks.append(asyncio.create_task(recorder.check(chance.choice(everyone))))
        elif action < 88 and scopes:
            scope, numbers = scopes.pop(0)
            ending = recorder.log_out(scope, numbers, sweep=chance.random() < 0.5)
            tasks.append(asyncio.create_task(ending))
        elif action < 92:
            gate.shut()
        else:
            gate.open()
        await asyncio.sleep(chance.choice((0, 0, 0, 0.0005)))

    for _ in range(400):
        await step(chance.randrange(100))
    if seed % 2:
        gate.shut()
        late = recorder.log_out(OfTenant(), everyone, sweep=True)
        tasks.append(asyncio.create_task(late))
        await step(0)
        gate.fail()
    else:
        gate.open()
    await asyncio.gather(*tasks)
    wrong = {number: broken(calls) for number, calls in recorder.histories.items()}
    assert not any(wrong.values()), wrong
    assert any(call.answer is Answer.LIVE for call in recorder.histories[6])
