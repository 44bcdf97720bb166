"""Checking tokens: what counts, for whom, and that looking changes nothing else."""

import pytest

from lastcall.authority.introspect import introspect
from lastcall.authority.logout import logout
from lastcall.authority.validate import validate
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.session import Lifetime
from lastcall.domain.types import HOUR, MINUTE, DialectName, Duration
from tests.authority.acts import alive, audit, begin, caller_with, origin
from tests.world import OTHER, TENANT, make_world


async def test_a_token_stands_for_its_subject_and_session() -> None:
    world = await make_world()
    begun = await begin(world, "engineer")
    caller = await caller_with(world, begun.token)
    assert (caller.username, caller.role.name, caller.tenant) == ("engineer", "engineer", TENANT)


@pytest.mark.parametrize("token", ["", "nonsense", "\ud800", "a" * 100_000])
async def test_a_token_nobody_issued_is_refused(token: str) -> None:
    world = await make_world()
    with pytest.raises(NotAuthenticated):
        await caller_with(world, token)


async def test_a_token_of_another_tenant_or_wire_is_refused() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    for tenant, dialect in ((OTHER, "native"), (TENANT, "elvis")):
        with pytest.raises(NotAuthenticated):
            await caller_with(world, begun.token, dialect, tenant)
    named = (DialectName("native"), DialectName("rsa"))
    await validate(world.env, None, begun.token, origin("elvis"), dialects=named)
    await validate(world.env, None, begun.token, origin("elvis"), dialects=None)


async def test_a_token_bound_to_its_address_is_refused_from_another() -> None:
    world = await make_world()
    begun = await begin(world, "john", address="10.0.0.1")
    there = origin(address="10.0.0.2")
    with pytest.raises(NotAuthenticated):
        await validate(world.env, TENANT, begun.token, there, bound_to_address=True)
    await validate(world.env, TENANT, begun.token, origin(), bound_to_address=True)


async def test_use_keeps_a_session_alive_up_to_its_absolute_end() -> None:
    world = await make_world()
    lifetime = Lifetime(idle=Duration(10 * MINUTE), absolute=HOUR)
    begun = await begin(world, "john", lifetime=lifetime)
    for _ in range(11):
        world.clock.advance(5 * MINUTE)
        await caller_with(world, begun.token)
    world.clock.advance(5 * MINUTE)
    assert not await alive(world, begun)


async def test_a_check_that_is_no_use_does_not_prolong() -> None:
    world = await make_world()
    lifetime = Lifetime(idle=Duration(10 * MINUTE), absolute=HOUR)
    begun = await begin(world, "john", lifetime=lifetime)
    world.clock.advance(9 * MINUTE)
    assert await introspect(world.env, TENANT, begun.token, origin()) is not None
    world.clock.advance(MINUTE)
    assert not await alive(world, begun)
    assert await introspect(world.env, None, begun.token, origin()) is None


async def test_an_idle_session_does_not_come_back_when_the_clock_does() -> None:
    """The sweep has not run; the clock goes back; still out once ended on record."""
    world = await make_world()
    begun = await begin(world, "john")
    await logout(world.env, begun.caller, OneSession(session=begun.session.id))
    world.clock.advance(-HOUR)
    assert not await alive(world, begun)


async def test_checks_write_nothing() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    before = len(await audit(world))
    await caller_with(world, begun.token)
    with pytest.raises(NotAuthenticated):
        await caller_with(world, "nonsense")
    assert len(await audit(world)) == before
