"""Joining a session: who may, what they may say, and that nothing that has ended is joined."""

import pytest

from lastcall.authority.joining import LONGEST, LONGEST_SID, MOST, join
from lastcall.authority.logout import logout
from lastcall.domain.access import service
from lastcall.domain.client import Client
from lastcall.domain.errors import Conflict, Denied, Invalid, NotFound
from lastcall.domain.logout import OneSession
from lastcall.domain.session import Participant
from lastcall.domain.types import DAY, SessionId
from tests.authority.acts import begin, last_event, origin
from tests.authority.test_clients import BOSS, add
from tests.world import OTHER, TENANT, World, make_world


def kept(world: World, client: Client, sid: str) -> str:
    """An id at an application as it is stored: sealed, since there it may be a live token."""
    return world.vault.seal(sid, f"sid:{client.id}")


APP = service(TENANT, origin(), "wiki")


async def test_a_service_joins_with_its_own_names() -> None:
    world = await make_world()
    wiki, begun = await add(world), await begin(world, "john")
    one = begun.session.id
    after = await join(world.env, APP, one, "wiki", "w-1", "jdoe")
    assert after.participants == (
        Participant(client=wiki.id, sid=kept(world, wiki, "w-1"), account="jdoe"),
    )
    assert (await last_event(world))[:2] == ("joined", "done")
    again = await join(world.env, APP, one, wiki.id, "w-1", "john.d")
    assert again.participants == (
        Participant(client=wiki.id, sid=kept(world, wiki, "w-1"), account="john.d"),
    )
    more = await join(world.env, APP, one, "wiki", "w-2")
    assert [joined.sid for joined in more.participants] == [
        kept(world, wiki, "w-1"),
        kept(world, wiki, "w-2"),
    ]


async def test_the_sessions_own_caller_joins_without_saying_who_it_is_there() -> None:
    world = await make_world()
    await add(world)
    here, there = await begin(world, "john"), await begin(world, "john")
    after = await join(world.env, here.caller, here.session.id, "wiki", "w-1")
    assert [joined.account for joined in after.participants] == [""]
    with pytest.raises(Denied):
        await join(world.env, here.caller, here.session.id, "wiki", "w-1", "boss")
    with pytest.raises(Denied):
        await join(world.env, here.caller, there.session.id, "wiki", "w-1")
    await join(world.env, BOSS, there.session.id, "wiki", "w-9", "boss")


async def test_only_what_lives_can_be_joined() -> None:
    world = await make_world()
    await add(world)
    ended, expired = await begin(world, "john"), await begin(world, "john")
    await logout(world.env, BOSS, OneSession(session=ended.session.id))
    foreign = await begin(world, "stranger", tenant=OTHER)
    for one in (ended.session.id, foreign.session.id, SessionId("none")):
        with pytest.raises(NotFound):
            await join(world.env, APP, one, "wiki", "w")
    world.clock.advance(DAY)
    with pytest.raises(NotFound):
        await join(world.env, APP, expired.session.id, "wiki", "w")


async def test_what_cannot_be_kept_is_refused() -> None:
    world = await make_world()
    await add(world)
    one = (await begin(world, "john")).session.id
    with pytest.raises(NotFound):
        await join(world.env, APP, one, "nobody", "w")
    for sid, account in (("x" * (LONGEST_SID + 1), ""), ("w", "x" * (LONGEST + 1)), ("w", "a\0b")):
        with pytest.raises(Invalid):
            await join(world.env, APP, one, "wiki", sid, account)
    for number in range(MOST):
        await join(world.env, APP, one, "wiki", f"w-{number}")
    with pytest.raises(Conflict):
        await join(world.env, APP, one, "wiki", "w-one-more")
    await join(world.env, APP, one, "wiki", "w-0", "again")
