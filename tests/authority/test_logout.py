"""Ending sessions: whose, by whom, at once, and written down."""

import itertools
from dataclasses import replace

import pytest

from lastcall.authority.credentials import prove
from lastcall.authority.logout import logout
from lastcall.authority.receipts import receipt
from lastcall.authority.sessions import list_sessions, session_by_id
from lastcall.authority.step_up import step_up
from lastcall.authority.subjects import change_subject
from lastcall.authority.sweep import sweep
from lastcall.domain.access import ROLES, Caller, Permission, operator
from lastcall.domain.audit import Action
from lastcall.domain.errors import Denied, NotAuthenticated, NotFound, SecondFactorRequired
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.policy import Policy
from lastcall.domain.token import digest_password
from lastcall.domain.types import (
    DialectName,
    EndReason,
    ReceiptId,
    SessionId,
    SubjectId,
)
from lastcall.ports import SessionQuery
from tests.authority.acts import (
    PASSWORDS,
    alive,
    audit,
    begin,
    caller_with,
    credentials,
    last_event,
    origin,
)
from tests.world import OTHER, TENANT, World, make_world

BY_RANK = ("monitor", "engineer", "admin")

BATCH = 20


async def test_ones_own_session_ends_at_once_and_is_written_down_once() -> None:
    world = await make_world()
    begun, other = await begin(world, "john"), await begin(world, "john")
    before = len(await audit(world))
    done = await logout(world.env, begun.caller, OneSession(session=begun.session.id), "bye")
    assert [one.id for one in done.ended] == [begun.session.id]
    assert done.ended[0].ended is not None
    assert done.ended[0].ended.why is EndReason.LOGOUT
    assert not await alive(world, begun)
    assert await alive(world, other)
    records = await audit(world)
    assert len(records) == before + 1
    assert records[-1].event.detail["reason"] == "bye"
    assert done.receipt.complete


async def test_a_second_logout_with_a_dead_token_is_not_authenticated() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    await logout(world.env, begun.caller, OneSession(session=begun.session.id))
    with pytest.raises(NotAuthenticated):
        await logout(world.env, begun.caller, OneSession(session=begun.session.id))


async def test_the_others_of_oneself() -> None:
    world = await make_world()
    begun = [await begin(world, "john") for _ in range(3)]
    keep = begun[1]
    scope = OfSubject(subject=keep.subject.id, keep=keep.session.id)
    assert len((await logout(world.env, keep.caller, scope)).ended) == 2
    assert [await alive(world, one) for one in begun] == [False, True, False]


@pytest.mark.parametrize(("mine", "theirs"), list(itertools.product(BY_RANK, BY_RANK)))
async def test_a_peer_or_better_may_end_a_subjects_sessions(mine: str, theirs: str) -> None:
    """The rule of the MultiTech page."""
    world = await make_world()
    actor, victim = await begin(world, mine), await begin(world, theirs)
    scope = OfSubject(subject=victim.subject.id)
    allowed = ROLES[mine].rank >= ROLES[theirs].rank
    if allowed:
        await logout(world.env, actor.caller, scope, needs=Permission.PEER_LOGOUT)
    else:
        with pytest.raises(Denied):
            await logout(world.env, actor.caller, scope, needs=Permission.PEER_LOGOUT)
        assert (await last_event(world))[:2] == ("logout", "refused")
    assert await alive(world, victim) == (not allowed)


@pytest.mark.parametrize("name", ["monitor", "engineer"])
async def test_without_the_permission_rank_does_not_help(name: str) -> None:
    world = await make_world()
    actor, victim = await begin(world, name), await begin(world, "john")
    scopes: list[Scope] = [
        OneSession(session=victim.session.id),
        OfSubject(subject=victim.subject.id),
        OfDialect(dialect=DialectName("native")),
        OfTenant(),
    ]
    for scope in scopes:
        with pytest.raises(Denied):
            await logout(world.env, actor.caller, scope)
    assert await alive(world, victim)


async def test_unknown_foreign_and_forbidden_look_the_same() -> None:
    """To whoever could be out-ranked."""
    world = await make_world()
    actor = await begin(world, "engineer")
    boss = await begin(world, "admin")
    stranger = await begin(world, "stranger", tenant=OTHER)
    seen = set()
    for target in (boss.subject.id, stranger.subject.id, SubjectId("nobody"), SubjectId("")):
        with pytest.raises(Denied) as refusal:
            await logout(
                world.env, actor.caller, OfSubject(subject=target), needs=Permission.PEER_LOGOUT
            )
        seen.add((type(refusal.value), refusal.value.code))
    assert len(seen) == 1
    for session in (stranger.session.id, SessionId("nothing")):
        with pytest.raises(NotFound):
            await logout(world.env, boss.caller, OneSession(session=session))
    assert await alive(world, stranger)


async def test_a_dialects_sessions_and_a_tenants() -> None:
    world = await make_world()
    actor = await begin(world, "admin")
    elvis, rsa = (
        await begin(world, "john", dialect="elvis"),
        await begin(world, "john", dialect="rsa"),
    )
    foreign = await begin(world, "john", tenant=OTHER, dialect="rsa")
    await logout(world.env, actor.caller, OfDialect(dialect=DialectName("elvis")))
    assert [await alive(world, one) for one in (elvis, rsa, foreign)] == [False, True, True]
    assert actor.caller.session is not None
    await logout(world.env, actor.caller, OfTenant(keep=actor.caller.session.id))
    assert [await alive(world, one) for one in (actor, rsa, foreign)] == [True, False, True]


async def test_only_one_wires_sessions_of_a_subject() -> None:
    world = await make_world()
    elvis, rsa = (
        await begin(world, "john", dialect="elvis"),
        await begin(world, "john", dialect="rsa"),
    )
    scope = OfSubject(subject=elvis.subject.id, dialect=DialectName("elvis"))
    await logout(world.env, operator(TENANT, origin()), scope)
    assert [await alive(world, one) for one in (elvis, rsa)] == [False, True]


async def test_standing_is_judged_at_commit() -> None:
    """Demoted, disabled or ended between authentication and the act: no longer allowed."""
    world = await make_world()
    victim = await begin(world, "john")
    demoted = await begin(world, "admin")
    boss = operator(TENANT, origin())
    await change_subject(
        world.env, boss, demoted.subject.id, lambda one: replace(one, role="monitor")
    )
    with pytest.raises(NotAuthenticated):
        await logout(world.env, demoted.caller, OfSubject(subject=victim.subject.id))
    ended = await begin(world, "engineer")
    await logout(world.env, ended.caller, OneSession(session=ended.session.id))
    with pytest.raises(NotAuthenticated):
        await logout(
            world.env,
            ended.caller,
            OfSubject(subject=victim.subject.id),
            needs=Permission.PEER_LOGOUT,
        )
    assert await alive(world, victim)


async def test_credentials_authorise_one_call_until_the_account_changes() -> None:
    world = await make_world()
    victim = await begin(world, "john")
    proven = await prove(world.env, TENANT, origin(), credentials("admin"))
    caller = proven.caller(origin())
    assert caller.session is None
    boss = operator(TENANT, origin())
    await change_subject(
        world.env, boss, proven.subject.id, lambda one: replace(one, password_hash="new")
    )
    with pytest.raises(NotAuthenticated):
        await logout(world.env, caller, OfSubject(subject=victim.subject.id))
    fresh = await prove(world.env, TENANT, origin(), credentials("engineer"))
    scope = OfSubject(subject=victim.subject.id)
    await logout(world.env, fresh.caller(origin()), scope, needs=Permission.PEER_LOGOUT)
    assert not await alive(world, victim)


async def test_a_callers_account_may_vanish_under_it() -> None:
    world = await make_world()
    begun = await begin(world, "john")
    async with world.env.store.transaction(TENANT) as tx:
        await tx.remove_subject(begun.subject.id)
    with pytest.raises(NotAuthenticated):
        await logout(world.env, begun.caller, OneSession(session=begun.session.id))


async def test_the_tenants_rule_may_demand_a_fresh_second_factor() -> None:
    world = await make_world(policy=Policy(second_factor_for_others=True))
    victim = await begin(world, "john")
    actor = await begin(world, "admin")
    scope = OfSubject(subject=victim.subject.id)
    with pytest.raises(SecondFactorRequired) as due:
        await logout(world.env, actor.caller, scope)
    assert due.value.method == "password"
    for wide in (OfTenant(), OfDialect(dialect=DialectName("elvis"))):
        with pytest.raises(SecondFactorRequired):
            await logout(world.env, actor.caller, wide)
    credentialed = (await prove(world.env, TENANT, origin(), credentials("admin"))).caller(origin())
    with pytest.raises(SecondFactorRequired):
        await logout(world.env, credentialed, scope)
    stepped = await step_up(world.env, actor.caller, digest_password(PASSWORDS["admin"]))
    world.clock.advance(5 * 60_000)
    with pytest.raises(SecondFactorRequired):
        await logout(world.env, stepped.caller, scope)
    stepped = await step_up(world.env, stepped.caller, digest_password(PASSWORDS["admin"]))
    await logout(world.env, stepped.caller, scope)
    assert not await alive(world, victim)
    assert await alive(world, actor)


async def test_what_does_not_fit_one_batch_is_refused_at_once_and_swept_later() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=0, batch=BATCH))
    many = [await begin(world, "john") for _ in range(BATCH + 5)]
    done = await logout(world.env, operator(TENANT, origin()), OfTenant())
    assert (done.receipt.sessions_ended, done.receipt.complete) == (BATCH, False)
    assert not await alive(world, many[-1])
    boss = operator(TENANT, origin())
    while await sweep(world.env):
        pass
    found = (await receipt(world.env, boss, done.receipt.revocation.id)).receipt
    assert (found.sessions_ended, found.complete) == (BATCH + 5, True)
    assert (
        await list_sessions(world.env, boss, SessionQuery(live_at=world.clock.now()))
    ).total == 0


async def test_a_sparse_logout_is_complete_only_when_all_rows_were_looked_at() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=0, batch=1))
    boss = operator(TENANT, origin())
    first = await begin(world, "john", dialect="elvis")
    for _ in range(100):
        await begin(world, "john")
    last = await begin(world, "john", dialect="elvis")
    done = await logout(world.env, boss, OfDialect(dialect=DialectName("elvis")))
    made = done.receipt.revocation.id
    assert [one.id for one in done.ended] == [first.session.id]
    assert not done.receipt.complete
    assert not await alive(world, last)
    turns = []
    while await sweep(world.env):
        found = (await receipt(world.env, boss, made)).receipt
        turns.append((found.sessions_ended, found.complete))
    assert turns == [(1, False), (1, False), (2, False)]
    found = (await receipt(world.env, boss, made)).receipt
    assert (found.sessions_ended, found.complete) == (2, True)
    swept = [one for one in await audit(world) if one.event.action is Action.SWEEP]
    assert [one.event.detail["sessions"] for one in swept] == ["1", "0"]


async def test_receipts_are_read_by_who_asked_and_who_may() -> None:
    world = await make_world()
    john, admin, engineer = [await begin(world, name) for name in ("john", "admin", "engineer")]
    other = await begin(world, "john")
    done = await logout(world.env, john.caller, OneSession(session=other.session.id))
    wanted = done.receipt.revocation.id
    assert (await receipt(world.env, john.caller, wanted)).receipt.sessions_ended == 1
    assert (await receipt(world.env, admin.caller, wanted)).finished
    for caller, other_id in ((engineer.caller, wanted), (admin.caller, ReceiptId("nothing"))):
        with pytest.raises(NotFound):
            await receipt(world.env, caller, other_id)


async def test_listing_ones_own_and_others() -> None:
    world = await make_world()
    john, admin = await begin(world, "john"), await begin(world, "admin")
    mine = SessionQuery(subject=john.subject.id, live_at=world.clock.now())
    page = await list_sessions(world.env, john.caller, mine)
    assert [one.id for one in page.sessions] == [john.session.id]
    for query in (SessionQuery(), replace(mine, subject=admin.subject.id)):
        with pytest.raises(Denied):
            await list_sessions(world.env, john.caller, query)
    assert (await list_sessions(world.env, admin.caller, SessionQuery())).total == 2


async def look(world: World, caller: Caller, session: SessionId, *, of_others: bool) -> str:
    found = await session_by_id(world.env, caller, session, of_others=of_others)
    return found.id


async def test_looking_at_one_session() -> None:
    world = await make_world()
    john, admin = await begin(world, "john"), await begin(world, "admin")
    assert await look(world, john.caller, john.session.id, of_others=False) == john.session.id
    assert await look(world, admin.caller, john.session.id, of_others=True) == john.session.id
    with pytest.raises(NotFound):
        await look(world, admin.caller, john.session.id, of_others=False)
    with pytest.raises(Denied):
        await look(world, john.caller, admin.session.id, of_others=True)
    await caller_with(world, john.token)
