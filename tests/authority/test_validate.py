"""Checking tokens: what counts, for whom, and that looking changes nothing else."""

import pytest

from lastcall.authority.introspect import introspect
from lastcall.authority.logout import logout
from lastcall.authority.validate import validate, validate_again, validate_at_once
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.session import Lifetime
from lastcall.domain.token import hash_token
from lastcall.domain.types import HOUR, MINUTE, SECOND, DialectName, Duration
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


async def test_a_verdict_stands_until_something_changes_or_the_session_lapses() -> None:
    world = await make_world()
    lifetime = Lifetime(idle=Duration(10 * MINUTE), absolute=HOUR)
    begun, other = await begin(world, "john", lifetime=lifetime), await begin(world, "monitor")
    token = begun.session.token_hash
    verdict = validate_at_once(world.env, TENANT, token)
    assert verdict is not None
    assert verdict.found.session.id == begun.session.id
    world.clock.advance(10 * MINUTE - 1)
    assert validate_again(world.env, verdict)
    world.clock.advance(1)
    assert not validate_again(world.env, verdict), "for all it knows, it is idle"
    again = validate_at_once(world.env, None, token)
    assert again is not None, "it was used a millisecond ago"
    await logout(world.env, other.caller, OneSession(session=other.session.id))
    assert not validate_again(world.env, again), "something has changed"
    assert validate_at_once(world.env, None, token) is not None
    assert validate_at_once(world.env, None, other.session.token_hash) is None


async def test_what_needs_waiting_or_words_is_not_answered_at_once() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    token = begun.session.token_hash
    assert validate_at_once(world.env, OTHER, token) is None
    assert validate_at_once(world.env, TENANT, hash_token("nonsense")) is None
    verdict = validate_at_once(world.env, TENANT, token)
    assert verdict is not None
    async with world.env.store.transaction(TENANT):
        assert validate_at_once(world.env, TENANT, token) is None
        assert not validate_again(world.env, verdict)
    assert validate_again(world.env, verdict)


async def test_uses_close_to_each_other_are_one() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    token, start = begun.session.token_hash, begun.session.last_seen

    async def last_seen() -> int:
        found = await world.env.store.find(token)
        assert found is not None
        return found.session.last_seen - start

    world.clock.advance(SECOND - 1)
    verdict = validate_at_once(world.env, TENANT, token)
    assert verdict is not None
    await caller_with(world, begun.token)
    assert await last_seen() == 0
    world.clock.advance(1)
    assert validate_again(world.env, verdict)
    assert await last_seen() == SECOND
    world.clock.advance(SECOND)
    await caller_with(world, begun.token)
    assert await last_seen() == 2 * SECOND
    world.clock.advance(SECOND)
    for _ in range(2):
        assert validate_again(world.env, verdict)
        assert await last_seen() == 3 * SECOND
