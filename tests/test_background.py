"""Work beside the requests: one failure stops neither the rest of it nor what comes after."""

import asyncio

import pytest

from lastcall.background import SPELL, kept_up, repeated
from lastcall.domain.errors import Invalid, StoreUnavailable


async def test_what_fails_holds_up_nothing_else_and_is_tried_again() -> None:
    turns: list[str] = []

    async def plans() -> int:
        turns.append("plans")
        raise Invalid("countries", "secret of a plan")

    async def sweep() -> int:
        turns.append("sweep")
        if len(turns) >= 6:
            raise StoreUnavailable
        return 0

    await asyncio.wait_for(repeated({"plans": plans, "sweep": sweep}, rest=0.001), 5)
    assert turns == ["plans", "sweep"] * 3


async def test_what_finds_much_to_do_lets_the_others_have_their_turn() -> None:
    turns: list[str] = []

    async def much() -> int:
        turns.append("much")
        return 1

    async def little() -> int:
        turns.append("little")
        if turns.count("little") == 2:
            raise StoreUnavailable
        return 0

    await asyncio.wait_for(repeated({"much": much, "little": little}, rest=60), 5)
    assert turns == [*["much"] * SPELL, "little"] * 2


async def test_without_failures_it_goes_on_at_once_while_there_is_work() -> None:
    left = [3, 2, 1]

    async def sweep() -> int:
        if not left:
            raise StoreUnavailable
        return left.pop()

    await asyncio.wait_for(repeated({"sweep": sweep}, rest=60), 5)


async def test_a_worker_that_fails_is_begun_again_until_it_ends_by_itself() -> None:
    begun: list[int] = []

    async def run() -> None:
        begun.append(len(begun))
        if len(begun) < 3:
            raise KeyError("unforeseen")

    await asyncio.wait_for(kept_up("outbox", run, rest=0.001), 5)
    assert begun == [0, 1, 2]


async def test_it_can_be_cancelled() -> None:
    async def run() -> None:
        await asyncio.sleep(60)

    for work in (kept_up("outbox", run), repeated({})):
        task = asyncio.create_task(work)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
