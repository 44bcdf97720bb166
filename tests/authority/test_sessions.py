"""Sessions by their tokens."""

from lastcall.authority.sessions import session_of_token
from tests.authority.acts import begin, end
from tests.world import make_world


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
