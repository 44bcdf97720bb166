"""Whom a name means, and who the owners of listed sessions are."""

import pytest

from lastcall.authority.accounts import (
    SCANNED,
    SLICE,
    account_with,
    accounts_like,
    accounts_of,
)
from lastcall.domain.access import Caller
from lastcall.domain.errors import Denied
from lastcall.domain.origin import Origin
from lastcall.domain.subject import caller_of
from lastcall.domain.types import DialectName, SubjectId
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
        found = await account_with(world.env, TENANT, name)
        assert found is not None
        assert found.id == "u-john"
    for name in ("nobody", "nobody@example.com", "john@other.example"):
        assert await account_with(world.env, TENANT, name) is None
    assert await account_with(world.env, OTHER, "admin") is None


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
