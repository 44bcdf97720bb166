"""Accounts: whom a name means, who may read which record, and searches through all of them."""

import pytest

from lastcall.authority.accounts import (
    SCANNED,
    SLICE,
    account,
    account_called,
    account_where,
    accounts_like,
    accounts_of,
)
from lastcall.domain.access import Caller
from lastcall.domain.errors import Denied, NotAuthenticated, NotFound
from lastcall.domain.origin import Origin
from lastcall.domain.subject import caller_of
from lastcall.domain.types import DialectName, SubjectId
from tests.authority.acts import begin, end
from tests.world import ACCOUNTS, OTHER, TENANT, World, make_world, subject


def caller(username: str) -> Caller:
    found = next(one for one in ACCOUNTS if one.username == username)
    return caller_of(found, Origin(dialect=DialectName("native")))


async def crowd(world: World, size: int) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        for number in range(size):
            await tx.add_subject(subject(f"crowd-{number:05d}", "x"))


async def test_a_name_or_an_address_means_an_account_of_this_tenant() -> None:
    world = await make_world()
    for name in ("john", "john@domain.com", "JOHN@domain.com"):
        found = await account_called(world.env, TENANT, name, with_email=True)
        assert found is not None
        assert found.id == "u-john"
    for name in ("nobody", "nobody@example.com", "john@other.example"):
        assert await account_called(world.env, TENANT, name, with_email=True) is None
    assert await account_called(world.env, OTHER, "admin") is None


async def test_owners_are_those_that_exist() -> None:
    world = await make_world()
    ids = [SubjectId("u-john"), SubjectId("u-john"), SubjectId("u-nobody")]
    assert set(await accounts_of(world.env, caller("admin"), ids)) == {"u-john"}
    with pytest.raises(Denied):
        await accounts_of(world.env, caller("monitor"), ids)


async def test_a_part_of_a_name_means_enabled_accounts() -> None:
    world = await make_world()
    admin = caller("admin")
    by_name = await accounts_like(world.env, admin, "ADA", 5)
    assert [one.username for one in by_name] == ["admin"]
    assert await accounts_like(world.env, admin, "gone", 5) == []
    with pytest.raises(Denied):
        await accounts_like(world.env, caller("monitor"), "ada", 5)


async def test_a_search_goes_on_until_it_has_enough_or_has_looked_at_many() -> None:
    world = await make_world()
    admin = caller("admin")
    await crowd(world, SLICE + 10)
    assert len(await accounts_like(world.env, admin, "crowd-", 5)) == 5
    assert [one.username for one in await accounts_like(world.env, admin, "tess", 5)] == ["tess"]
    assert SCANNED % SLICE == 0


async def test_everybody_may_read_their_own_record() -> None:
    world = await make_world()
    john = (await begin(world, "john")).caller
    for name in (None, "john", "john@domain.com", "JOHN@domain.com"):
        assert (await account(world.env, john, name)).id == "u-john"


@pytest.mark.parametrize("name", ["admin", "nobody", "gone", "stranger", "john@other.example", ""])
async def test_others_do_not_exist_for_whoever_may_not_read_them(name: str) -> None:
    world = await make_world()
    john = (await begin(world, "john")).caller
    with pytest.raises(NotFound):
        await account(world.env, john, name)


async def test_whoever_may_read_accounts_reads_those_that_are_on() -> None:
    world = await make_world()
    admin = (await begin(world, "admin")).caller
    assert (await account(world.env, admin, "john")).id == "u-john"
    for name in ("gone", "nobody", "stranger"):
        with pytest.raises(NotFound):
            await account(world.env, admin, name)


async def test_a_record_is_read_by_the_standing_of_the_moment() -> None:
    world = await make_world()
    john = (await begin(world, "john")).caller
    await end(world, john)
    with pytest.raises(NotAuthenticated):
        await account(world.env, john)


async def test_a_refused_reading_is_recorded_without_the_name_asked_for() -> None:
    world = await make_world()
    john = (await begin(world, "john")).caller
    with pytest.raises(NotFound):
        await account(world.env, john, "admin")
    async with world.env.store.transaction(TENANT) as tx:
        last = (await tx.records())[-1].event
    assert (last.action, last.outcome, last.actor) == ("list", "refused", "u-john")
    assert "admin" not in repr(last)


async def test_accounts_are_searched_to_the_last() -> None:
    world = await make_world()
    admin = (await begin(world, "admin")).caller
    async with world.env.store.transaction(TENANT) as tx:
        for number in range(SLICE):
            await tx.add_subject(subject(f"x{number:04d}", "x"))
    found = await account_where(world.env, admin, lambda one: one.username == f"x{SLICE - 1:04d}")
    assert found == f"u-x{SLICE - 1:04d}"
    assert await account_where(world.env, admin, lambda one: False) is None


async def test_nothing_is_searched_for_whoever_may_not_log_others_out() -> None:
    world = await make_world()
    john = (await begin(world, "john")).caller
    assert await account_where(world.env, john, lambda one: True) is None
