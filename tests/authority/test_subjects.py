"""Changing accounts: who may, and whose sessions end with it."""

from dataclasses import replace

import pytest

from lastcall.authority.login import LoggedIn
from lastcall.authority.logout import logout
from lastcall.authority.refresh import refresh
from lastcall.authority.subjects import add_subjects, change_subject, remove_subject
from lastcall.authority.sweep import sweep, sweep_revocation
from lastcall.domain.access import operator
from lastcall.domain.errors import Conflict, Denied, NotAuthenticated, NotFound
from lastcall.domain.logout import OfTenant
from lastcall.domain.policy import Policy
from lastcall.domain.subject import Subject
from lastcall.domain.types import DAY, HOUR, Duration, EndReason, ReceiptId, SubjectId
from tests.authority.acts import alive, audit, begin, last_event, mint, origin
from tests.world import OTHER, TENANT, make_world, subject

BATCH = 20
BOSS = operator(TENANT, origin())


async def test_a_change_of_password_ends_the_others_and_keeps_the_session_it_is_done_from() -> None:
    world = await make_world()
    here, there = await begin(world, "john"), await begin(world, "john")
    done = await change_subject(
        world.env, here.caller, here.subject.id, lambda one: replace(one, password_hash="fake$x")
    )
    assert done is not None
    assert [one.ended.why for one in done.ended if one.ended] == [EndReason.PASSWORD_CHANGED]
    assert [await alive(world, one) for one in (here, there)] == [True, False]


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"role": "admin"}, {"totp_secret": "sealed"}]
)
async def test_a_change_by_somebody_else_ends_them_all(change: dict[str, object]) -> None:
    world = await make_world()
    begun = [await begin(world, "john"), await begin(world, "john", dialect="elvis")]

    def changed(one: Subject) -> Subject:
        return replace(one, **change)  # type: ignore[arg-type]  # the table is the test

    await change_subject(world.env, BOSS, begun[0].subject.id, changed)
    assert [await alive(world, one) for one in begun] == [False, False]
    assert (await last_event(world))[:2] == ("subject-changed", "done")


async def test_a_change_of_name_ends_nothing() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    change = await change_subject(
        world.env, begun.caller, begun.subject.id, lambda one: replace(one, name="Johnny")
    )
    assert change is None
    assert await alive(world, begun)


async def test_nobody_promotes_or_disables_themselves() -> None:
    world = await make_world()
    for name, change in (("john", {"role": "admin"}), ("engineer", {"enabled": False})):
        begun = await begin(world, name)

        def changed(one: Subject, to: dict[str, object] = change) -> Subject:  # type: ignore[assignment]
            return replace(one, **to)  # type: ignore[arg-type]  # the table is the test

        with pytest.raises(Denied):
            await change_subject(world.env, begun.caller, begun.subject.id, changed)
        assert await alive(world, begun)


async def test_others_accounts_need_the_permission_and_the_rank() -> None:
    world = await make_world()
    engineer, john = await begin(world, "engineer"), await begin(world, "john")
    for target in (john.subject.id, SubjectId("nobody")):
        with pytest.raises(Denied):
            await change_subject(world.env, engineer.caller, target, lambda one: one)
    with pytest.raises(NotFound):
        await change_subject(world.env, BOSS, SubjectId("nobody"), lambda one: one)
    with pytest.raises(NotFound):
        await change_subject(world.env, BOSS, SubjectId("u-stranger"), lambda one: one)


async def test_a_change_cannot_move_an_account() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    await change_subject(
        world.env, BOSS, begun.subject.id, lambda one: replace(one, tenant=OTHER, name="J")
    )
    async with world.env.store.transaction(TENANT) as tx:
        moved = await tx.subject(begun.subject.id)
    assert moved is not None
    assert (moved.tenant, moved.name) == (TENANT, "J")


async def test_a_removed_account_is_out_and_its_successor_is_somebody_else() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    done = await remove_subject(world.env, BOSS, begun.subject.id)
    assert [one.ended.why for one in done.ended if one.ended] == [EndReason.SUBJECT_DELETED]
    again = replace(subject("john", "johnpassword"), id=SubjectId("u-john-2"))
    await add_subjects(world.env, BOSS, [again])
    assert not await alive(world, begun)
    assert await alive(world, await begin(world, "john"))
    with pytest.raises(NotFound):
        await remove_subject(world.env, BOSS, begun.subject.id)


async def test_adding_is_all_or_nothing() -> None:
    world = await make_world()
    new = replace(subject("new", "x"), id=SubjectId("u-new"))
    with pytest.raises(Conflict):
        await add_subjects(world.env, BOSS, [new, subject("john", "x")])
    async with world.env.store.transaction(TENANT) as tx:
        assert await tx.subject_named("new") is None
    await add_subjects(world.env, BOSS, [new])
    added = [one.event for one in await audit(world) if one.event.action == "subject-added"]
    assert [one.target for one in added if one.outcome == "done"] == ["u-new"]


async def test_deadlines_are_swept_and_tombstones_outlive_their_tokens() -> None:
    """Nothing goes before its retention, and nothing by size."""
    world = await make_world(policy=Policy(retention=Duration(3 * DAY)))
    idle, absolute = await begin(world, "john"), await begin(world, "john")
    while await sweep(world.env):
        pass
    world.clock.advance(HOUR)
    await sweep(world.env)
    async with world.env.store.transaction(TENANT) as tx:
        rows = [await tx.session(one.session.id) for one in (idle, absolute)]
    assert [row.ended.why for row in rows if row and row.ended] == [EndReason.IDLE] * 2
    world.clock.advance(2 * DAY)
    await sweep(world.env)
    async with world.env.store.transaction(TENANT) as tx:
        assert await tx.session(idle.session.id) is not None
    world.clock.advance(2 * DAY)
    while await sweep(world.env):
        pass
    async with world.env.store.transaction(TENANT) as tx:
        assert await tx.session(idle.session.id) is None
    assert await sweep(world.env) == 0


async def test_a_refresh_token_counts_once_and_reuse_ends_the_family() -> None:
    world = await make_world()
    begun = await begin(world, "john", refreshable=True)
    world.clock.advance(HOUR)
    assert not await alive(world, begun), "the token is over, the session is not"

    async def again(token: str, dialect: str = "native") -> LoggedIn:
        return await refresh(
            world.env,
            TENANT,
            token,
            origin(dialect),
            mint=mint,
            mint_refresh=mint,
            token_life=Duration(HOUR),
        )

    world.clock.advance(-HOUR)
    with pytest.raises(NotAuthenticated):
        await again(begun.refresh, "elvis")
    renewed = await again(begun.refresh)
    assert not await alive(world, begun)
    assert await alive(world, renewed)
    with pytest.raises(NotAuthenticated):
        await again(begun.refresh)
    assert await last_event(world) == ("refresh", "refused", "token-reused")
    assert not await alive(world, renewed)
    for token in (renewed.refresh, "nonsense"):
        with pytest.raises(NotAuthenticated):
            await again(token)


async def test_sweeping_what_is_done_already_changes_nothing() -> None:
    world = await make_world()
    await begin(world, "john")
    done = await logout(world.env, BOSS, OfTenant())
    before = len(await audit(world))
    for receipt in (done.receipt.revocation.id, ReceiptId("nothing")):
        assert await sweep_revocation(world.env, TENANT, receipt) == 0
    assert len(await audit(world)) == before


async def test_a_revoked_row_past_its_deadline_is_left_to_its_revocation() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=0, batch=BATCH))
    for _ in range(2 * BATCH + 1):
        last = await begin(world, "john")
    await logout(world.env, BOSS, OfTenant())
    world.clock.advance(HOUR)
    await sweep(world.env)
    async with world.env.store.transaction(TENANT) as tx:
        row = await tx.session(last.session.id)
    assert row is not None
    assert row.ended is None
    while await sweep(world.env):
        pass
    async with world.env.store.transaction(TENANT) as tx:
        row = await tx.session(last.session.id)
    assert row is not None
    assert row.ended is not None
    assert row.ended.why is EndReason.ENDED_BY_OTHER
