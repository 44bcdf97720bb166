"""Work beside the requests: one failure stops neither the rest of it nor what comes after."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import pytest

from lastcall.background import SPELL, kept_up, repeated
from lastcall.domain.errors import Invalid, StoreUnavailable

Works = Mapping[str, Callable[[], Awaitable[int]]]


async def repeated_until(over: asyncio.Event, works: Works, rest: float) -> None:
    task = asyncio.create_task(repeated(works, rest=rest))
    await asyncio.wait_for(over.wait(), 60)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_fails_holds_up_nothing_else_and_is_tried_again() -> None:
    turns: list[str] = []
    over = asyncio.Event()

    async def plans() -> int:
        turns.append("plans")
        raise Invalid("countries", "secret of a plan")

    async def sweep() -> int:
        turns.append("sweep")
        if len(turns) >= 6:
            over.set()
        return 0

    await repeated_until(over, {"plans": plans, "sweep": sweep}, rest=0.001)
    assert turns == ["plans", "sweep"] * 3


async def test_what_finds_much_to_do_lets_the_others_have_their_turn() -> None:
    turns: list[str] = []
    over = asyncio.Event()

    async def much() -> int:
        turns.append("much")
        return 1

    async def little() -> int:
        turns.append("little")
        if turns.count("little") == 2:
            over.set()
        return 0

    await repeated_until(over, {"much": much, "little": little}, rest=60)
    assert turns[: 2 * SPELL + 2] == [*["much"] * SPELL, "little"] * 2


async def test_without_failures_it_goes_on_at_once_while_there_is_work() -> None:
    left = [3, 2, 1]
    over = asyncio.Event()

    async def sweep() -> int:
        if not left:
            over.set()
            return 0
        return left.pop()

    await repeated_until(over, {"sweep": sweep}, rest=60)


async def test_a_store_that_was_away_is_asked_again() -> None:
    asked: list[str] = []
    over = asyncio.Event()

    async def plans() -> int:
        asked.append("plans")
        if len(asked) < 3:
            raise StoreUnavailable
        return 0

    async def sweep() -> int:
        asked.append("sweep")
        over.set()
        return 0

    await repeated_until(over, {"plans": plans, "sweep": sweep}, rest=0.001)
    assert asked == ["plans", "plans", "plans", "sweep"], "nobody else need try meanwhile"


async def test_a_worker_that_fails_is_begun_again_until_it_ends_by_itself() -> None:
    begun: list[int] = []

    async def run() -> None:
        begun.append(len(begun))
        if len(begun) < 3:
            raise KeyError("unforeseen")

    await asyncio.wait_for(kept_up("outbox", run, rest=0.001), 60)
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
