"""Impersonation: whose place one may take, on record, and what ends it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.impersonate import impersonate
from lastcall.authority.login import LoggedIn, Start
from lastcall.authority.logout import logout
from lastcall.authority.preview import preview
from lastcall.authority.step_up import step_up
from lastcall.authority.subjects import change_subject, remove_subject
from lastcall.domain.access import Caller, operator
from lastcall.domain.client import Ability, Client, Naming
from lastcall.domain.errors import (
    AuthorityError,
    Denied,
    Invalid,
    NotAuthenticated,
    NotFound,
    SecondFactorRequired,
)
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Scope,
)
from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.selection import Selection
from lastcall.domain.session import Lifetime
from lastcall.domain.token import digest_password
from lastcall.domain.types import (
    MINUTE,
    ClientId,
    DialectName,
    Duration,
    EndReason,
    Kind,
    SessionId,
    SubjectId,
)
from tests.authority.acts import PASSWORDS, alive, audit, begin, last_event, mint, origin
from tests.world import TENANT, World, make_world

BOSS = operator(TENANT, origin())
ADMIN, JOHN, TESS = SubjectId("u-admin"), SubjectId("u-john"), SubjectId("u-tess")
SHORT = Start(
    kind=Kind.API, lifetime=Lifetime(idle=None, absolute=Duration(15 * MINUTE)), mint=mint
)


async def admin(world: World) -> Caller:
    """With a factor given just now."""
    caller = (await begin(world, "admin")).caller
    return (await step_up(world.env, caller, digest_password(PASSWORDS["admin"]))).caller


async def sit(world: World, caller: Caller, username: str = "john") -> LoggedIn:
    return await impersonate(world.env, caller, SHORT, "ticket 7", username=username)


async def test_a_session_in_somebodys_place_names_both_and_is_short() -> None:
    world = await make_world()
    caller = await admin(world)
    by_name = await sit(world, caller)
    by_id = await impersonate(world.env, caller, SHORT, "again", subject=JOHN)
    for new in (by_name, by_id):
        assert (new.session.subject, new.session.impersonator) == (JOHN, ADMIN)
        assert (new.session.factors, new.caller.username) == ((), "john")
        assert await alive(world, new)
    event = (await audit(world))[-2].event
    assert (event.action, event.actor, event.target) == ("impersonated", ADMIN, by_name.session.id)
    assert event.detail == {"subject": JOHN, "username": "john", "reason": "ticket 7"}
    world.clock.advance(15 * MINUTE)
    assert not await alive(world, by_name)


async def test_what_is_done_in_it_is_on_record_under_both_names() -> None:
    world = await make_world()
    new = await sit(world, await admin(world))
    await logout(world.env, new.caller, OneSession(session=new.session.id))
    event = (await audit(world))[-1].event
    assert (event.actor, event.detail["impersonator"]) == (JOHN, ADMIN)


@pytest.mark.parametrize("name", ["engineer", "monitor"])
async def test_it_needs_the_permission(name: str) -> None:
    world = await make_world()
    with pytest.raises(Denied):
        await sit(world, (await begin(world, name)).caller)
    assert await last_event(world) == ("impersonated", "refused", "denied")


async def test_the_operator_has_no_name_to_answer_with() -> None:
    world = await make_world()
    with pytest.raises(Denied):
        await sit(world, BOSS)


async def test_it_needs_a_fresh_second_factor_whatever_the_tenant_says() -> None:
    world = await make_world(policy=Policy(second_factor_for_others=False))
    with pytest.raises(SecondFactorRequired):
        await sit(world, (await begin(world, "admin")).caller)
    caller = await admin(world)
    world.clock.advance(world.env.policy(TENANT).step_up_life)
    with pytest.raises(SecondFactorRequired):
        await sit(world, caller)


async def test_of_whom_it_cannot_be() -> None:
    world = await make_world()
    caller = await admin(world)
    with pytest.raises(Denied):
        await sit(world, caller, "admin")
    for nobody in ("nobody", "gone", "stranger", ""):
        with pytest.raises(NotFound):
            await sit(world, caller, nobody)
    with pytest.raises(NotFound):
        await impersonate(world.env, caller, SHORT, "why", subject="u-stranger")
    with pytest.raises(Invalid):
        await impersonate(world.env, caller, SHORT, " ", subject=JOHN)


async def test_whoever_sits_in_somebodys_place_has_no_right_over_others() -> None:
    """Not even where an administrator sits in another's place."""
    world = await make_world()
    caller = await admin(world)
    other = await begin(world, "john")
    new = await sit(world, caller, "tess")
    assert not new.caller.role.permissions
    mine = caller.session
    assert mine is not None
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: sit(world, new.caller),
        lambda: remove_subject(world.env, new.caller, ADMIN),
        lambda: change_subject(
            world.env, new.caller, ADMIN, lambda one: replace(one, enabled=False)
        ),
        lambda: change_subject(world.env, new.caller, TESS, lambda one: replace(one, name="x")),
        lambda: step_up(world.env, new.caller, "backup01"),
        lambda: preview(world.env, new.caller, Selection()),
    ]
    scopes: list[Scope] = [
        OneSession(session=mine.id),
        OneSession(session=other.session.id),
        OneSession(session=SessionId("nothing")),
        OfSessions(sessions=frozenset({mine.id, new.session.id})),
        OfSubject(subject=ADMIN),
        OfSubject(subject=JOHN),
        OfDialect(dialect=DialectName("native")),
        OfTenant(),
    ]
    for attempt in attempts:
        with pytest.raises(Denied):
            await attempt()
    for scope in scopes:
        with pytest.raises(Denied):
            await logout(world.env, new.caller, scope)
    assert await alive(world, other)
    assert await alive(world, new)
    with pytest.raises(AuthorityError):  # the step-up spent nothing of the account's
        await step_up(world.env, (await begin(world, "monitor")).caller, "backup01")


@pytest.mark.parametrize("dialect", [None, DialectName("native")])
async def test_a_logout_everywhere_from_it_ends_it_alone(dialect: DialectName | None) -> None:
    world = await make_world()
    caller = await admin(world)
    own, new = await begin(world, "john"), await sit(world, caller)
    second = await sit(world, caller)
    done = await logout(world.env, new.caller, OfSubject(subject=JOHN, dialect=dialect))
    assert [one.id for one in done.ended] == [new.session.id]
    assert await alive(world, own)
    assert await alive(world, second)


async def test_the_subjects_other_sessions_are_out_of_its_reach() -> None:
    world = await make_world()
    own, new = await begin(world, "john"), await sit(world, await admin(world))
    with pytest.raises(Denied):
        await logout(world.env, new.caller, OneSession(session=own.session.id))
    elsewhere = OfSubject(subject=JOHN, dialect=DialectName("rsa"))
    for scope in (elsewhere, OfSubject(subject=JOHN, keep=new.session.id)):
        assert not (await logout(world.env, new.caller, scope)).ended
    assert await alive(world, own)
    assert await alive(world, new)


async def test_it_ends_with_all_sessions_of_whoever_is_impersonated() -> None:
    for by_admin in (True, False):
        world = await make_world()
        caller = await admin(world)
        own, new = await begin(world, "john"), await sit(world, caller)
        await logout(world.env, BOSS if by_admin else own.caller, OfSubject(subject=JOHN))
        assert not await alive(world, new)
        assert caller.session is not None
        async with world.env.store.transaction(TENANT) as tx:
            still = await tx.session(caller.session.id)
        assert still is not None
        assert still.ended is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"enabled": False}, EndReason.SUBJECT_DISABLED),
        ({"password_hash": "another"}, EndReason.PASSWORD_CHANGED),
        ({"role": "engineer"}, EndReason.ROLE_CHANGED),
        ({"totp_secret": "sealed"}, EndReason.FACTOR_CHANGED),
        (None, EndReason.SUBJECT_DELETED),
    ],
)
async def test_it_ends_with_the_right_to_it(change: dict[str, Any] | None, why: EndReason) -> None:
    world = await make_world()
    own, new = await begin(world, "john"), await sit(world, await admin(world))
    if change is None:
        await remove_subject(world.env, BOSS, ADMIN)
    else:
        await change_subject(world.env, BOSS, ADMIN, lambda one: replace(one, **change))
    assert not await alive(world, new)
    assert await alive(world, own)
    async with world.env.store.transaction(TENANT) as tx:
        row = await tx.session(new.session.id)
    assert row is not None
    assert row.ended is not None
    assert row.ended.why is why


async def test_whoever_impersonates_ends_it_without_more_right() -> None:
    world = await make_world(policy=Policy(second_factor_for_others=True))
    caller = await admin(world)
    first, second, third = [await sit(world, caller, name) for name in ("john", "tess", "owner")]
    world.clock.advance(10 * MINUTE)  # the factor is no longer fresh
    await logout(world.env, caller, OneSession(session=first.session.id))
    some = frozenset({second.session.id})
    await logout(world.env, caller, OfSessions(sessions=some))
    assert not await alive(world, first)
    assert not await alive(world, second)
    await logout(world.env, caller, OfSubject(subject=ADMIN))
    assert not await alive(world, third)
    with pytest.raises(NotAuthenticated):
        await sit(world, caller)


async def test_it_takes_nobodys_place_in_the_caps() -> None:
    for rule in WhenFull:
        world = await make_world(policy=Policy(sessions_per_subject=1, when_full=rule))
        own = await begin(world, "john")
        new = await sit(world, await admin(world))
        assert await alive(world, own)
        await logout(world.env, own.caller, OneSession(session=own.session.id))
        assert await alive(world, await begin(world, "john"))
        assert await alive(world, new)


async def test_a_mass_logout_of_the_impersonators_takes_it_along() -> None:
    world = await make_world()
    await begin(world, "john")
    caller = await admin(world)
    new = await sit(world, caller)
    assert caller.session is not None
    by_role = await preview(world.env, BOSS, Selection(roles=frozenset({"admin"})))
    by_name = await preview(world.env, BOSS, Selection(subjects=frozenset({ADMIN})))
    for made in (by_role, by_name):
        assert set(made.sessions) == {caller.session.id, new.session.id}
    assert by_role.counts["users"] == 2
    as_john = await preview(world.env, BOSS, Selection(subjects=frozenset({JOHN})))
    assert len(as_john.sessions) == 2


async def test_who_is_always_told_hears_of_both() -> None:
    world = await make_world()
    now = world.clock.now()
    told = Client(
        id=ClientId("c"),
        tenant=TENANT,
        name="c",
        connector="webhook",
        can=Ability.SUBJECT,
        naming=Naming.SUB,
        always=True,
        created=now,
        changed=now,
    )
    async with world.env.store.transaction(TENANT) as tx:
        await tx.put_client(told)
    caller = await admin(world)
    assert caller.session is not None
    new = await sit(world, caller)
    # nothing of the impersonator's own is left: its notice must not be taken for given
    await logout(world.env, BOSS, OneSession(session=caller.session.id))
    done = await logout(world.env, BOSS, OfSubject(subject=ADMIN))
    assert [one.id for one in done.ended] == [new.session.id]
    async with world.env.store.transaction(TENANT) as tx:
        owed = await tx.deliveries(receipt=done.receipt.revocation.id)
    assert {one.subject for one in owed} == {ADMIN, JOHN}
