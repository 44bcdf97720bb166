"""Criteria that name people and applications mean those, and never everybody by mistake."""

from dataclasses import replace

import pytest

from lastcall.authority.client_changes import add_client
from lastcall.authority.naming import named
from lastcall.domain.access import operator
from lastcall.domain.client import Client
from lastcall.domain.errors import Denied, Invalid
from lastcall.domain.types import ClientId, Instant, SubjectId
from tests.authority.acts import begin, origin
from tests.world import TENANT, make_world

BOSS = operator(TENANT, origin())
BLANK = Client(id=ClientId(""), tenant=TENANT, name="", created=Instant(0), changed=Instant(0))


async def test_by_name_or_by_id() -> None:
    world = await make_world()
    made = [await add_client(world.env, BOSS, replace(BLANK, name=one)) for one in ("a", "b")]
    found = await named(world.env, BOSS, ["john", "u-owner", "john", "nobody"], ["a", made[1].id])
    assert found.subjects == {SubjectId("u-john"), SubjectId("u-owner")}
    assert found.clients == {one.id for one in made}
    assert found.unknown == ("nobody",)
    none = await named(world.env, BOSS, [], [])
    assert (none.subjects, none.clients, none.unknown) == (frozenset(), frozenset(), ())


async def test_names_of_nobody_do_not_become_everybody() -> None:
    world = await make_world()
    with pytest.raises(Invalid, match="users"):
        await named(world.env, BOSS, ["nobody", "stranger"], [])
    with pytest.raises(Invalid, match="apps"):
        await named(world.env, BOSS, [], ["none"])


async def test_only_for_whoever_may_preview() -> None:
    world = await make_world()
    with pytest.raises(Denied):
        await named(world.env, (await begin(world, "john")).caller, ["john"], [])
