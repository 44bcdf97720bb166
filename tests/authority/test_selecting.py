"""A mass logout's set is found in slices: others get on in between, and it stays exact."""

import asyncio
from dataclasses import replace

from lastcall.authority.logout import logout
from lastcall.authority.mass import Order, mass_logout
from lastcall.authority.preview import ACCOUNTS, preview
from lastcall.authority.selecting import SLICE
from lastcall.domain.logout import OneSession
from lastcall.domain.selection import Selection
from lastcall.domain.session import End
from lastcall.domain.types import DialectName, EndReason, Serial, SessionId, TokenHash
from tests.authority.acts import alive, begin
from tests.authority.test_mass import BOSS
from tests.world import TENANT, World, make_world, subject

MANY = 2 * SLICE + 10
ELVIS = Selection(dialects=frozenset({DialectName("elvis")}))


async def crowd(world: World) -> list[SessionId]:
    """Many sessions like one that begun in the ordinary way; its own id is not among them."""
    one = (await begin(world, "owner", dialect="elvis")).session
    ids = [SessionId(f"s{number}") for number in range(MANY)]
    async with world.env.store.transaction(TENANT) as tx:
        for number, name in enumerate(ids):
            token = TokenHash(number.to_bytes(32))
            serial: Serial = await tx.next_serial()
            await tx.add_session(replace(one, id=name, token_hash=token, serial=serial))
        await tx.end_session(one.id, End(at=one.created, why=EndReason.LOGOUT, by=None))
    return ids


async def test_others_get_on_while_it_is_found() -> None:
    world = await make_world()
    ids = await crowd(world)
    finding = asyncio.create_task(preview(world.env, BOSS, ELVIS))
    await asyncio.sleep(0)
    newcomer = await begin(world, "john", dialect="elvis")
    await logout(world.env, BOSS, OneSession(session=ids[-1]))
    assert not finding.done(), "it went through all of them in one piece"
    made = await finding
    assert newcomer.session.id not in made.sessions
    assert ids[-1] not in made.sessions
    assert made.sessions == tuple(reversed(ids[:-1])), "newest first, each once"
    await logout(world.env, BOSS, OneSession(session=ids[0]))
    done = await mass_logout(world.env, BOSS, Order(preview=made.id, reason="leak"))
    assert (done.drift.ended_since, done.drift.new_since) == (1, 1)
    assert await alive(world, newcomer)
    async with world.env.store.transaction(TENANT) as tx:
        assert [await tx.unended_of(newcomer.subject.id)] == [(newcomer.session,)]
        rows = [await tx.session(one) for one in made.sessions]
        covered = [row and (row.ended or await tx.covered_by(row)) for row in rows]
        assert all(covered)


async def test_the_last_administrator_among_many_accounts() -> None:
    world = await make_world()
    async with world.env.store.transaction(TENANT) as tx:
        for number in range(ACCOUNTS + 5):
            await tx.add_subject(subject(f"z{number}", "x"))
        for name in ("tess", "emil"):
            await tx.remove_subject(subject(name, "x").id)
    await begin(world, "admin")
    assert (await preview(world.env, BOSS, Selection())).last_admin
    async with world.env.store.transaction(TENANT) as tx:
        await tx.add_subject(subject("zz", "x", "admin"))
    assert not (await preview(world.env, BOSS, Selection())).last_admin
