"""Turning the signing keys: the operator's alone, on record, and refused for what has no keys."""

import pytest

from lastcall.authority.keys import rotate_keys
from lastcall.control.operations import OPERATIONS
from lastcall.control.parameters import Parameters
from lastcall.domain.access import operator
from lastcall.domain.errors import Denied, Invalid
from tests.authority.acts import audit, begin, last_event, origin
from tests.world import TENANT, make_world

BOSS = operator(TENANT, origin())


async def test_the_operator_turns_them_and_that_is_on_record() -> None:
    world = await make_world()
    await rotate_keys(world.env, BOSS)
    await rotate_keys(world.env, BOSS, "ES256")
    targets = [one.event.target for one in await audit(world) if one.event.code == ""]
    assert targets[-2:] == ["keys:all", "keys:ES256"]
    assert await last_event(world) == ("keys-rotated", "done", "")


async def test_nobody_else_may_not_even_an_administrator() -> None:
    world = await make_world()
    admin = await begin(world, "admin")
    with pytest.raises(Denied):
        await rotate_keys(world.env, admin.caller)
    assert await last_event(world) == ("keys-rotated", "refused", "denied")


async def test_what_has_no_keys_cannot_be_turned() -> None:
    world = await make_world()
    before = len(await audit(world))
    with pytest.raises(Invalid):
        await rotate_keys(world.env, BOSS, "HS256")
    assert len(await audit(world)) == before


async def test_as_an_operation() -> None:
    world = await make_world()
    given = Parameters(tenant=TENANT)
    listed = await OPERATIONS["keys.list"](world.env, given)
    assert {key["alg"] for key in listed["keys"]} == {"RS256", "ES256", "EdDSA"}
    assert await OPERATIONS["keys.rotate"](world.env, given) == listed
