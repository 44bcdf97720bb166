"""Work beside the requests: who does it, and what is looked through once something was done."""

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from lastcall.authority.logout import logout
from lastcall.domain.access import operator
from lastcall.domain.logout import OfTenant
from lastcall.domain.policy import Policy
from lastcall.domain.types import DAY
from lastcall.main.works import works
from tests.authority.acts import LIFETIME, begin, origin
from tests.world import TENANT, World, make_world


@dataclass
class Node:
    leads: bool = True


@contextmanager
def rounds() -> Iterator[Callable[[], int]]:
    """How many rounds the garbage collector was asked for: none begins by itself."""
    count = 0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal count
        count += phase == "start" and info["generation"] == 0

    gc.disable()
    gc.callbacks.append(note)
    try:
        yield lambda: count
    finally:
        gc.callbacks.remove(note)
        gc.enable()


async def outdated(world: World) -> None:
    await begin(world, "john")
    world.clock.advance(LIFETIME.absolute + DAY)


async def logged_out(world: World) -> None:
    for _ in range(5):
        await begin(world, "john")
    await logout(world.env, operator(TENANT, origin()), OfTenant())


@pytest.mark.parametrize(("name", "owed"), [("tidying", outdated), ("mass logouts", logged_out)])
async def test_what_is_new_is_looked_through_whenever_something_was_done(
    name: str, owed: Callable[[World], Awaitable[None]]
) -> None:
    """Else a round that begins by chance goes through all that the work has replaced, at once."""
    world = await make_world(policy=Policy(batch=2))
    work = works(world.env, Node())[name]
    with rounds() as asked:
        assert await work() == asked() == 0
    await owed(world)
    with rounds() as asked:
        turns = 0
        while await work():
            turns += 1
        assert turns == asked() > 0


async def test_who_does_not_lead_does_nothing() -> None:
    world = await make_world()
    await outdated(world)
    node = Node(leads=False)
    with rounds() as asked:
        assert [await work() for work in works(world.env, node).values()] == [0, 0, 0]
        assert asked() == 0
    node.leads = True
    assert await works(world.env, node)["tidying"]() > 0
