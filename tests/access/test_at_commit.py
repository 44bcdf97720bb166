"""Authority is judged at the commit: a caller who loses it on the way there ends nobody.

The loss happens before every look the request takes at the store, one after the other, until the
request is over before it does.
"""

from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from lastcall.authority.logout import logout
from lastcall.authority.subjects import remove_subject
from lastcall.domain.access import operator
from lastcall.domain.logout import OneSession
from lastcall.domain.types import SessionId
from tests.access.driving import ANYWHERE, PASSWORD, Held, alive, changed, make_crowd, peer
from tests.access.endings import ENDINGS, Ending, Target
from tests.access.interposed import InterposedStore
from tests.world import World

Loss = Callable[[World, Held], Awaitable[object]]


async def demoted(world: World, by: Held) -> object:
    return await changed(world, by.who, role="monitor")


async def disabled(world: World, by: Held) -> object:
    return await changed(world, by.who, enabled=False)


async def removed(world: World, by: Held) -> object:
    return await remove_subject(world.env, operator(by.tenant, ANYWHERE), by.who.id)


async def given_a_new_password(world: World, by: Held) -> object:
    return await changed(world, by.who, password_hash="fake$other")


async def logged_out(world: World, by: Held) -> object:
    scope = OneSession(session=SessionId(by.session))
    return await logout(world.env, operator(by.tenant, ANYWHERE), scope)


LOSSES = (demoted, disabled, removed, given_a_new_password, logged_out)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("way", ENDINGS, ids=lambda way: way.name)
async def test_who_loses_authority_on_the_way_ends_nobody(way: Ending, loss: Loss) -> None:
    for at in count(1):
        store = InterposedStore()
        world = await make_crowd(store=store)
        by = await way.wire.enter(world, peer("admin-a"))
        held = await way.wire.enter(world, peer("engineer-b"))
        ended_before: list[bool] = []

        async def happening(
            world: World = world,
            by: Held = by,
            held: Held = held,
            ended_before: list[bool] = ended_before,
        ) -> None:
            ended_before.append(not await alive(world, held))
            await loss(world, by)

        store.arm(at, happening)
        answer = await way.run(world, by, Target.of(held))
        store.disarm()
        if not store.happened:
            assert answer.granted
            assert at > 2
            break
        if loss is logged_out and PASSWORD in way.ask(by, Target.of(held)).target:
            continue  # a password needs no session to stand on
        ended = not await alive(world, held)
        assert ended is ended_before[0], f"ended after the loss, at look {at}"
        assert answer.granted is ended, f"said otherwise, at look {at}"
