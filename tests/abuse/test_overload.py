"""What a user without rights may ask must not cost more the more others there are (abuse K)."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import process_time

import pytest

from lastcall.authority.sessions import list_sessions
from lastcall.authority.status import status
from lastcall.domain.session import End
from lastcall.domain.types import EndReason, SessionId, SubjectId, TokenHash
from lastcall.ports import SessionQuery
from tests.authority.acts import begin, caller_with, end
from tests.world import TENANT, World, make_world

OTHERS = 20_000


async def crowd(world: World) -> None:
    """Sessions of others, every second one ended."""
    like = (await begin(world, "john")).session
    now = world.clock.now()
    async with world.env.store.transaction(TENANT) as tx:
        for number in range(OTHERS):
            one = replace(
                like,
                id=SessionId(f"s{number}"),
                token_hash=TokenHash(b"%032d" % number),
                subject=SubjectId(f"u{number % 500}"),
                serial=await tx.next_serial(),
            )
            await tx.add_session(one)
            if number % 2:
                await tx.end_session(one.id, End(at=now, why=EndReason.LOGOUT))


async def quickest(act: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(5):
        began = process_time()
        await act()
        times.append(process_time() - began)
    return min(times)


@pytest.mark.slow
async def test_ones_own_ended_sessions_are_found_without_looking_at_others() -> None:
    world = await make_world()
    ended, mine = await begin(world, "monitor"), await begin(world, "monitor")
    await crowd(world)
    admin = (await begin(world, "admin")).caller
    later = await begin(world, "monitor")
    await end(world, ended.caller)
    caller = await caller_with(world, mine.token)
    own = SessionQuery(subject=caller.subject, limit=10)
    listed = await list_sessions(world.env, caller, own)
    assert [one.id for one in listed.sessions] == [one.session.id for one in (later, mine, ended)]
    whole = await quickest(lambda: list_sessions(world.env, admin, SessionQuery(limit=10)))
    assert await quickest(lambda: list_sessions(world.env, caller, own)) < whole / 5
    assert await quickest(lambda: status(world.env, caller, caller.subject)) < whole / 5
