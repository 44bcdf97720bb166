"""Attempts at once: right ones are all let in, and wrong ones win nothing by it."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.step_up import step_up
from lastcall.domain.attempts import Limit
from lastcall.domain.errors import (
    BadCredentials,
    Busy,
    LockedOut,
    SecondFactorExhausted,
    SecondFactorInvalid,
    StoreUnavailable,
)
from lastcall.domain.policy import Policy
from lastcall.domain.token import digest_password
from lastcall.domain.types import MINUTE
from lastcall.ports import Undecided
from tests.access.interposed import InterposedStore
from tests.authority.acts import PASSWORDS, begin
from tests.fakes import FakePasswords
from tests.world import TENANT, World, make_world

TIGHT = Policy(
    sessions_per_subject=0,
    subject_lockout=Limit(tries=3, window=MINUTE, lockout=MINUTE),
    address_lockout=Limit(tries=0, window=MINUTE, lockout=MINUTE),
    factor_lockout=Limit(tries=3, window=MINUTE, lockout=MINUTE),
)
BY_ADDRESS = replace(
    TIGHT,
    subject_lockout=TIGHT.address_lockout,
    address_lockout=TIGHT.subject_lockout,
)
OTHERS = ("admin", "engineer", "monitor", "owner", "john")


class Judge(FakePasswords):
    """Judges one after another, when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, asyncio.Future[None]]] = []
        self.seen: list[str] = []
        self.shed = False

    async def verify(self, encoded: str, digest: str) -> bool:
        future = asyncio.get_running_loop().create_future()
        self.asked.append((digest, future))
        self.seen.append(digest)
        await future
        if self.shed:
            raise Busy("full")
        return await super().verify(encoded, digest)

    def judge(self, at: int = 0) -> None:
        self.asked.pop(at)[1].set_result(None)


async def settled() -> None:
    """Until everything that can go on without the judge has."""
    for _ in range(200):
        await asyncio.sleep(0)


async def judged_world(
    policy: Policy = TIGHT, undecided: Undecided | None = None
) -> tuple[World, Judge]:
    world, judge = await make_world(policy=policy), Judge()
    world.env = replace(world.env, passwords=judge, undecided=undecided or Undecided())
    return world, judge


@contextmanager
def running() -> Iterator[Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]]:
    tasks: list[asyncio.Task[Any]] = []

    def start(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        tasks.append(asyncio.create_task(work))
        return tasks[-1]

    yield start
    assert all(task.done() for task in tasks), "somebody still waits"


async def judge_all(judge: Judge) -> None:
    await settled()
    while judge.asked:
        judge.judge()
        await settled()


async def nobody_is_left(world: World) -> None:
    await settled()
    assert (world.env.undecided.lines, world.env.undecided.waiting) == (0, 0)


async def test_right_logins_of_one_account_are_all_let_in() -> None:
    world, judge = await judged_world()
    with running() as start:
        tasks = [start(begin(world, "john")) for _ in range(100)]
        await settled()
        assert len(judge.asked) == 3
        await judge_all(judge)
        assert len({task.result().session.id for task in tasks}) == 100
    await nobody_is_left(world)


async def test_right_logins_of_many_accounts_behind_one_address_are_all_let_in() -> None:
    world, judge = await judged_world(BY_ADDRESS)
    with running() as start:
        tasks = [start(begin(world, name)) for name in OTHERS * 8]
        await settled()
        assert len(judge.asked) == 3
        await judge_all(judge)
        assert all(task.result() for task in tasks)
    await nobody_is_left(world)


async def test_right_proofs_of_one_account_in_many_sessions_are_all_good() -> None:
    world, judge = await judged_world(replace(TIGHT, subject_lockout=TIGHT.address_lockout))
    digest = digest_password(PASSWORDS["admin"])
    with running() as start:
        begun = [start(begin(world, "admin")) for _ in range(20)]
        await judge_all(judge)
        tasks = [start(step_up(world.env, one.result().caller, digest)) for one in begun]
        await settled()
        assert len(judge.asked) == 3
        await judge_all(judge)
        assert all(task.result() for task in tasks)
    await nobody_is_left(world)


async def test_wrong_proofs_at_once_are_no_more_than_one_after_another() -> None:
    world, judge = await judged_world()
    with running() as start:
        first = start(begin(world, "admin"))
        await judge_all(judge)
        caller = first.result().caller
        tasks = [start(step_up(world.env, caller, "0" * 64)) for _ in range(50)]
        await judge_all(judge)
        said = [type(task.exception()) for task in tasks]
    assert (said.count(SecondFactorInvalid), said.count(SecondFactorExhausted)) == (3, 47)
    await nobody_is_left(world)


@pytest.mark.parametrize("name", ["john", "nobody"])
async def test_wrong_guesses_at_once_are_no_more_than_one_after_another(name: str) -> None:
    """The account that does not exist asks the judge as often, and answers in the same order."""
    world, judge = await judged_world()
    with running() as start:
        tasks = [start(begin(world, name, password=f"guess-{one}")) for one in range(100)]
        await settled()
        assert len(judge.asked) == 3
        assert not any(task.done() for task in tasks)
        judge.judge()
        judge.judge()
        await settled()
        assert [task.done() for task in tasks] == [True, True, *([False] * 98)]
        judge.judge()
        await settled()
        said = [type(task.exception()) for task in tasks]
    assert said == [BadCredentials] * 3 + [LockedOut] * 97
    assert len(judge.seen) == 3
    await nobody_is_left(world)


@pytest.mark.parametrize("seed", range(20))
async def test_however_they_mix_no_more_guesses_are_judged_than_one_after_another(
    seed: int,
) -> None:
    """One after another: all but one try before each right login, and all tries after the last."""
    chance = random.Random(seed)
    world, judge = await judged_world()
    right = [chance.random() < 0.2 for _ in range(100)]
    with running() as start:
        given = [PASSWORDS["john"] if one else "wrong" for one in right]
        tasks = [start(begin(world, "john", password=one)) for one in given]
        await settled()
        while judge.asked:
            world.clock.advance(1)
            judge.judge(chance.randrange(len(judge.asked)))
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            if not judge.asked:
                await settled()
        said = [type(task.exception()) for task in tasks]
    assert set(said) <= {type(None), BadCredentials, LockedOut}
    assert 3 <= said.count(BadCredentials) <= 2 * said.count(type(None)) + 3
    assert said.count(LockedOut) > 0
    await nobody_is_left(world)


async def test_first_come_first_served() -> None:
    """Who comes while others wait stands behind them; what is shed is no guess."""
    world, judge = await judged_world()
    guesses = [f"guess-{number}" for number in range(12)]
    with running() as start:
        tasks = [start(begin(world, "john", password=guess)) for guess in guesses]
        await settled()
        judge.shed = True
        while len(judge.seen) < len(guesses):
            judge.judge()
            tasks.append(start(begin(world, "john", password="late")))
            await settled()
        await judge_all(judge)
        assert {type(task.exception()) for task in tasks} == {Busy}
    assert judge.seen[: len(guesses)] == [digest_password(guess) for guess in guesses]
    await nobody_is_left(world)


async def test_more_than_may_wait_are_turned_away() -> None:
    world, judge = await judged_world(undecided=Undecided(in_one_line=4))
    with running() as start:
        tasks = [start(begin(world, "john")) for _ in range(20)]
        await settled()
        assert [task.done() for task in tasks] == [False] * 7 + [True] * 13
        await judge_all(judge)
        said = [type(task.exception()) for task in tasks]
    assert said == [type(None)] * 7 + [Busy] * 13
    await nobody_is_left(world)


async def test_all_lines_together_have_an_end() -> None:
    world, judge = await judged_world(undecided=Undecided(in_all_lines=4))
    with running() as start:
        tasks = [start(begin(world, name)) for name in ("john", "admin") for _ in range(6)]
        await settled()
        assert world.env.undecided.waiting == 4
        await judge_all(judge)
        said = [type(task.exception()) for task in tasks]
    assert said.count(Busy) == 2
    await nobody_is_left(world)


async def test_who_waits_for_one_account_is_in_nobody_elses_way() -> None:
    world, judge = await judged_world()
    with running() as start:
        for _ in range(10):
            start(begin(world, "john"))
        await settled()
        other = start(begin(world, "admin"))
        await settled()
        judge.judge(at=3)
        await settled()
        assert other.result()
        await judge_all(judge)
    await nobody_is_left(world)


async def test_one_may_wait_for_its_name_and_then_for_its_address() -> None:
    policy = replace(TIGHT, address_lockout=Limit(tries=4, window=MINUTE, lockout=MINUTE))
    world, judge = await judged_world(policy)
    with running() as start:
        for _ in range(3):
            start(begin(world, "john"))
        await settled()
        waits = start(begin(world, "john"))
        await settled()
        for _ in range(8):
            start(begin(world, "admin"))
        await settled()
        assert not waits.done()
        await judge_all(judge)
        assert waits.result()
    await nobody_is_left(world)


@pytest.mark.parametrize("which", [0, 1, 3, 4, 7])
async def test_who_gives_up_frees_the_way(which: int) -> None:
    world, judge = await judged_world()
    with running() as start:
        tasks = [start(begin(world, "john")) for _ in range(8)]
        await settled()
        tasks[which].cancel()
        await settled()
        if which < 3:
            judge.asked.pop(which)
        await judge_all(judge)
        assert [task.cancelled() for task in tasks] == [one == which for one in range(8)]
        assert all(task.result() for task in tasks if not task.cancelled())
    await nobody_is_left(world)


async def test_all_who_wait_give_up_at_once() -> None:
    world, judge = await judged_world()
    with running() as start:
        tasks = [start(begin(world, "john")) for _ in range(8)]
        await settled()
        judge.judge()
        for task in tasks[3:]:
            task.cancel()
        await judge_all(judge)
        assert sum(task.cancelled() for task in tasks) == 5
    await nobody_is_left(world)


class BrokenForGood(StoreUnavailable):
    pass


async def test_a_store_that_fails_leaves_nobody_waiting() -> None:
    """What could not be given back stays counted; those who wait learn what it comes to."""
    store, judge = InterposedStore(), Judge()
    world = await make_world(policy=TIGHT, store=store)
    world.env = replace(world.env, passwords=judge, undecided=Undecided())

    async def fail() -> None:
        raise BrokenForGood("no disk")

    with running() as start:
        tasks = [start(begin(world, "john")) for _ in range(6)]
        await settled()
        store.arm(1, fail)
        judge.judge()
        await settled()
        assert isinstance(tasks[0].exception(), BrokenForGood)
        await judge_all(judge)
        assert all(task.result() for task in tasks[1:])
    await nobody_is_left(world)


async def test_a_lock_that_is_decided_is_refused_at_once() -> None:
    world, judge = await judged_world()
    with running() as start:
        for _ in range(3):
            guess = start(begin(world, "john", password="wrong"))
            await judge_all(judge)
            assert isinstance(guess.exception(), BadCredentials)
        late = start(begin(world, "john"))
        await settled()
        assert isinstance(late.exception(), LockedOut)
    await nobody_is_left(world)


async def test_a_right_login_forgets_no_failure_that_was_counted_after_it() -> None:
    """Of two let in at once only the first forgets: the second holds no place any more."""
    world, judge = await judged_world()
    with running() as start:
        start(begin(world, "john"))
        start(begin(world, "john"))
        await settled()
        judge.judge()
        await settled()
        world.clock.advance(1)
        wrong = [start(begin(world, "john", password="wrong")) for _ in range(2)]
        await settled()
        judge.judge(at=1)
        judge.judge(at=1)
        await judge_all(judge)
        wrong += [start(begin(world, "john", password="wrong")) for _ in range(2)]
        await judge_all(judge)
        said = [type(one.exception()) for one in wrong]
    assert said == [BadCredentials] * 3 + [LockedOut]
    await nobody_is_left(world)


async def test_what_is_judged_between_a_look_and_the_line_is_not_missed() -> None:
    undecided = Undecided()
    with undecided.turn(TENANT) as first, undecided.turn(TENANT) as second:
        first.counted("key")
        assert second.must_wait("key", locked=True)
        first.over()
        await asyncio.wait_for(second.come(), 60)
    assert undecided.lines == 0


async def test_who_finds_no_room_leaves_no_line_behind() -> None:
    full = Undecided(in_all_lines=0)
    with full.turn(TENANT) as turn:
        with full.turn(TENANT) as first:
            first.counted("key")
            assert turn.must_wait("key", locked=True)
        with pytest.raises(Busy):
            await turn.come()
    assert full.lines == 0


async def test_a_right_login_takes_nothing_from_a_count_that_began_after_it() -> None:
    """A window of an address ends while somebody is let in: the next one's guesses all count."""
    world, judge = await judged_world(BY_ADDRESS)
    with running() as start:
        for _ in range(3):
            start(begin(world, "john"))
        await settled()
        world.clock.advance(2 * MINUTE)
        wrong = [start(begin(world, "john", password="wrong")) for _ in range(3)]
        await settled()
        await judge_all(judge)
        assert all(isinstance(one.exception(), BadCredentials) for one in wrong)
        late = start(begin(world, "john"))
        await judge_all(judge)
        assert isinstance(late.exception(), LockedOut)
    await nobody_is_left(world)
