"""Looking up: own records and others', sessions by their tokens, accounts by derived ids."""

import pytest

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.ending import end_scope
from lastcall.authority.login import LoggedIn, Start, login
from lastcall.authority.lookup import SLICE, account, session_of_token, subject_where
from lastcall.domain.access import Caller
from lastcall.domain.errors import NotAuthenticated, NotFound
from lastcall.domain.logout import OneSession
from lastcall.domain.origin import Origin
from lastcall.domain.session import Lifetime
from lastcall.domain.types import DAY, DialectName, EndReason, Instant, Kind, SessionId
from lastcall.ports import Entropy
from tests.world import TENANT, World, make_world, subject

HERE = Origin(dialect=DialectName("here"))
THERE = Origin(dialect=DialectName("there"))


def mint(entropy: Entropy, _id: SessionId, _expires: Instant) -> str:
    return entropy.bytes(16).hex()


async def begin(world: World, name: str, password: str, origin: Origin = HERE) -> LoggedIn:
    proven = await prove(world.env, TENANT, origin, Credentials(name=name, password=password))
    lifetime = Lifetime(idle=None, absolute=DAY)
    start = Start(kind=Kind.API, lifetime=lifetime, mint=mint, mint_refresh=mint)
    return await login(world.env, origin, proven, start)


async def end(world: World, caller: Caller) -> None:
    assert caller.session is not None
    async with world.env.store.transaction(TENANT) as tx:
        scope = OneSession(session=caller.session.id)
        await end_scope(tx, world.env, caller, scope, EndReason.LOGOUT, "")


async def test_everybody_may_read_their_own_record() -> None:
    world = await make_world()
    john = (await begin(world, "john", "johnpassword")).caller
    for name in (None, "john", "john@domain.com", "JOHN@domain.com"):
        assert (await account(world.env, john, name)).id == "u-john"


@pytest.mark.parametrize("name", ["admin", "nobody", "gone", "stranger", "john@other.example", ""])
async def test_others_do_not_exist_for_whoever_may_not_read_them(name: str) -> None:
    world = await make_world()
    john = (await begin(world, "john", "johnpassword")).caller
    with pytest.raises(NotFound):
        await account(world.env, john, name)


async def test_whoever_may_read_accounts_reads_those_that_are_on() -> None:
    world = await make_world()
    admin = (await begin(world, "admin", "Admin_1234")).caller
    assert (await account(world.env, admin, "john")).id == "u-john"
    for name in ("gone", "nobody", "stranger"):
        with pytest.raises(NotFound):
            await account(world.env, admin, name)


async def test_a_record_is_read_by_the_standing_of_the_moment() -> None:
    world = await make_world()
    john = (await begin(world, "john", "johnpassword")).caller
    await end(world, john)
    with pytest.raises(NotAuthenticated):
        await account(world.env, john)


async def test_a_refused_reading_is_recorded_without_the_name_asked_for() -> None:
    world = await make_world()
    john = (await begin(world, "john", "johnpassword")).caller
    with pytest.raises(NotFound):
        await account(world.env, john, "admin")
    async with world.env.store.transaction(TENANT) as tx:
        last = (await tx.records())[-1].event
    assert (last.action, last.outcome, last.actor) == ("list", "refused", "u-john")
    assert "admin" not in repr(last)


async def test_either_token_leads_to_its_session_alone() -> None:
    world = await make_world()
    begun = await begin(world, "john", "johnpassword")
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
    here = await begin(world, "john", "johnpassword")
    there = await begin(world, "john", "johnpassword", THERE)
    assert await session_of_token(world.env, here.caller, there.token) is None


async def test_accounts_are_searched_to_the_last() -> None:
    world = await make_world()
    admin = (await begin(world, "admin", "Admin_1234")).caller
    async with world.env.store.transaction(TENANT) as tx:
        for number in range(SLICE):
            await tx.add_subject(subject(f"x{number:04d}", "x"))
    found = await subject_where(world.env, admin, lambda one: one.username == f"x{SLICE - 1:04d}")
    assert found == f"u-x{SLICE - 1:04d}"
    assert await subject_where(world.env, admin, lambda one: False) is None


async def test_nothing_is_searched_for_whoever_may_not_log_others_out() -> None:
    world = await make_world()
    john = (await begin(world, "john", "johnpassword")).caller
    assert await subject_where(world.env, john, lambda one: True) is None
