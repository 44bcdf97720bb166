"""Sessions by their tokens, and lists of everybody's."""

import asyncio
from dataclasses import replace

import pytest

from lastcall.authority.logout import logout
from lastcall.authority.sessions import SLICE, list_sessions, session_of_token
from lastcall.domain.access import operator
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.session import Session
from lastcall.domain.types import Serial, SessionId, TokenHash
from lastcall.ports import SessionQuery
from tests.authority.acts import begin, end, origin
from tests.world import TENANT, World, make_world


async def test_either_token_leads_to_its_session_alone() -> None:
    world = await make_world()
    begun = await begin(world, "john", refreshable=True)
    look_up = session_of_token
    assert await look_up(world.env, begun.caller, begun.token) == begun.session.id
    assert await look_up(world.env, begun.caller, begun.refresh, refresh=True) == begun.session.id
    assert await look_up(world.env, begun.caller, begun.refresh) is None
    assert await look_up(world.env, begun.caller, begun.token, refresh=True) is None
    assert await look_up(world.env, begun.caller, "nothing") is None
    await end(world, begun.caller)
    assert await look_up(world.env, begun.caller, begun.token) == begun.session.id


async def test_a_token_of_another_wire_leads_nowhere() -> None:
    world = await make_world()
    here = await begin(world, "john")
    there = await begin(world, "john", dialect="there")
    assert await session_of_token(world.env, here.caller, there.token) is None


async def many(world: World, number: int) -> Session:
    """So many sessions of john's, without as many logins; the first of them."""
    one = (await begin(world, "john")).session
    async with world.env.store.transaction(TENANT) as tx:
        for count in range(1, number):
            serial = await tx.next_serial()
            token = TokenHash(count.to_bytes(32))
            other = replace(one, token_hash=token, serial=serial)
            await tx.add_session(replace(other, id=SessionId(f"{count:017d}")))
    return one


async def test_everybodys_are_paged_as_if_they_were_looked_at_at_once() -> None:
    world = await make_world()
    await many(world, 2 * SLICE + 3)
    caller = (await begin(world, "admin")).caller
    all_of_them: list[int] = []
    before: Serial | None = None
    while True:
        query = SessionQuery(live_at=world.clock.now(), before=before, limit=400)
        page = await list_sessions(world.env, caller, query)
        async with world.env.store.transaction(TENANT) as tx:
            assert page == await tx.sessions(query)
        all_of_them += [one.serial for one in page.sessions]
        before = page.next
        if before is None:
            break
    assert len(all_of_them) == len(set(all_of_them)) == page.total == 2 * SLICE + 4
    for offset in (0, 1, SLICE - 1, SLICE, 2 * SLICE, 2 * SLICE + 3, 2 * SLICE + 4, 10**9):
        query = SessionQuery(offset=offset, limit=2)
        page = await list_sessions(world.env, caller, query)
        async with world.env.store.transaction(TENANT) as tx:
            assert page == await tx.sessions(query)


async def test_others_get_on_while_everybodys_are_listed() -> None:
    """A logout begun in the middle is done before the list is."""
    world = await make_world()
    one = await many(world, 6 * SLICE)
    caller = (await begin(world, "admin")).caller
    listing = asyncio.create_task(list_sessions(world.env, caller, SessionQuery()))
    await asyncio.sleep(0)
    await logout(world.env, operator(TENANT, origin()), OneSession(session=one.id))
    assert not listing.done()
    assert (await listing).total == 6 * SLICE + 1


async def test_who_may_no_longer_list_is_told_nothing_of_what_was_found() -> None:
    world = await make_world()
    await many(world, 4 * SLICE)
    begun = await begin(world, "admin")
    listing = asyncio.create_task(list_sessions(world.env, begun.caller, SessionQuery()))
    await asyncio.sleep(0)
    await end(world, begun.caller)
    with pytest.raises(NotAuthenticated):
        await listing
