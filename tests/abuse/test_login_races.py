"""Section B: logins that race with logouts, with each other, and with their caps."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count

import pytest

from lastcall.authority.login import showable_id
from lastcall.authority.logout import logout
from lastcall.authority.subjects import remove_subject
from lastcall.domain.access import operator
from lastcall.domain.attempts import Limit
from lastcall.domain.logout import OfSubject, OfTenant, OneSession
from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.token import digest_password
from lastcall.domain.types import DAY, MINUTE, SessionId
from tests.access.driving import (
    ANYWHERE,
    PASSWORD,
    Ask,
    Wire,
    as_json,
    changed,
    json_of,
    make_crowd,
    named,
    peer,
)
from tests.access.interposed import InterposedPasswords, InterposedStore
from tests.access.wires import ELVIS_API, NATIVE, OAUTH, ROCKETCHAT, RSA, WIRES, rocketchat
from tests.fakes import CountingEntropy, FakePasswords
from tests.world import TENANT, World

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES, ids=named)
WHO = peer("monitor-a")
CAP = 3
FEW = Limit(tries=3, window=MINUTE, lockout=MINUTE)

Happening = Callable[[World], Awaitable[object]]


async def logged_out(world: World) -> object:
    return await logout(world.env, operator(TENANT, ANYWHERE), OfSubject(subject=WHO.id))


async def everybody_logged_out(world: World) -> object:
    return await logout(world.env, operator(TENANT, ANYWHERE), OfTenant())


async def disabled(world: World) -> object:
    return await changed(world, WHO, enabled=False)


async def given_a_new_password(world: World) -> object:
    return await changed(world, WHO, password_hash=f"fake${digest_password('other')}")


async def removed(world: World) -> object:
    return await remove_subject(world.env, operator(TENANT, ANYWHERE), WHO.id)


OVERTAKING = pytest.mark.parametrize(
    "happening",
    [logged_out, everybody_logged_out, disabled, given_a_new_password, removed],
    ids=lambda happening: happening.__name__,
)


@EVERY_WIRE
@OVERTAKING
@pytest.mark.parametrize("after", [False, True], ids=["before-the-check", "after-the-check"])
async def test_a_login_that_was_overtaken_begins_nothing(
    wire: Wire, happening: Happening, *, after: bool
) -> None:
    """B26, B27: in the slow part, where the password is hashed."""
    world = await make_crowd()
    passwords = InterposedPasswords(world.env.passwords, lambda: happening(world), after=after)
    during = replace(world, env=replace(world.env, passwords=passwords))
    _, shown = await wire.try_login(during, WHO)
    assert not shown
    assert await world.env.store.live_sessions() == 0


@EVERY_WIRE
@OVERTAKING
async def test_wherever_in_a_login_it_happens(wire: Wire, happening: Happening) -> None:
    """B26: before every look at the store. What was begun first is ended, the rest not begun."""
    for at in count(1):
        store = InterposedStore()
        world = await make_crowd(store=store)

        async def now(world: World = world) -> None:
            await happening(world)

        store.arm(at, now)
        answer, shown = await wire.try_login(world, WHO)
        store.disarm()
        if not store.happened:
            assert shown, answer
            break
        if at > 1 or happening not in (logged_out, everybody_logged_out):
            assert await unended(world) == 0, f"alive after what happened at look {at}"


async def unended(world: World) -> int:
    async with world.env.store.transaction(TENANT) as tx:
        return len(await tx.unended_of(WHO.id))


@pytest.mark.parametrize("when_full", list(WhenFull))
@pytest.mark.parametrize("wire", [NATIVE, ELVIS_API, RSA, ROCKETCHAT, OAUTH], ids=named)
async def test_a_hundred_logins_at_once_keep_the_cap(wire: Wire, when_full: WhenFull) -> None:
    """B29: at every moment, not only in the end."""
    policy = Policy(sessions_per_subject=CAP, when_full=when_full)
    world = await make_crowd(policy=policy)
    most = 0

    async def one(number: int) -> bool:
        nonlocal most
        _, shown = await wire.try_login(world, WHO, address=f"10.0.{number // 200}.{number % 200}")
        most = max(most, await world.env.store.live_sessions())
        return bool(shown)

    begun = await asyncio.gather(*(one(number) for number in range(100)))
    assert most == await world.env.store.live_sessions() == CAP
    assert sum(begun) == (CAP if when_full is WhenFull.REFUSE else 100)


class Leisurely(FakePasswords):
    async def verify(self, encoded: str, digest: str) -> bool:
        for _ in range(20):
            await asyncio.sleep(0)
        return await super().verify(encoded, digest)


@EVERY_WIRE
async def test_a_fleet_with_one_account_is_no_guesser(wire: Wire) -> None:
    """More right logins at once than there are tries: those that find none left wait for one."""
    world = await make_crowd(policy=Policy(subject_lockout=FEW, address_lockout=FEW))
    fleet = replace(world, env=replace(world.env, passwords=Leisurely()))
    logins = await asyncio.gather(*(wire.try_login(fleet, WHO) for _ in range(9)))
    assert [answer for answer, shown in logins if not shown] == []


@EVERY_WIRE
async def test_what_has_expired_takes_no_place(wire: Wire) -> None:
    """B31: though no sweep has been by."""
    policy = Policy(sessions_per_subject=1, when_full=WhenFull.REFUSE)
    world = await make_crowd(policy=policy)
    await wire.enter(world, WHO)
    world.clock.advance(400 * DAY)
    assert (await wire.ask_who(world, await wire.enter(world, WHO))).granted


@EVERY_WIRE
async def test_a_login_never_takes_over_what_is_brought_along(wire: Wire) -> None:
    """B34 (fixation): neither a made-up token nor a real one of somebody else's."""
    world = await make_crowd()
    attacker = await wire.enter(world, peer("monitor-b"))
    planted = {name: "A" * len(value) for name, value in attacker.shown.items()}
    for brought in (planted, dict(attacker.shown)):
        ask = wire.login(WHO, PASSWORD)
        carried = {**wire.check(brought, WHO).headers, **ask.headers}
        answer = await wire.send(world, Ask(ask.method, ask.target, carried, ask.body))
        shown = wire.learn(answer.reply)
        assert shown, answer
        assert shown["token"] not in (planted["token"], attacker.token)
        for token in (planted, attacker.shown):
            mine = await wire.send(world, wire.check(token, WHO))
            assert not mine.granted or WHO.username.encode() not in mine.reply.body


@EVERY_WIRE
async def test_each_login_has_a_token_of_its_own(wire: Wire) -> None:
    """B35: none comes twice, and none is in the list of sessions."""
    world = await make_crowd()
    tokens, ids = set(), set()
    for _ in range(25):
        held = await wire.enter(world, WHO)
        world.clock.advance(60_000)
        tokens.add(held.token)
        ids.add(held.session)
    assert len(tokens) == len(ids) == 25
    assert not tokens & ids


def test_session_ids_do_not_collide() -> None:
    """B35: nor is any character of them rarer than chance has it."""
    entropy = CountingEntropy()
    drawn = [showable_id(entropy) for _ in range(20_000)]
    assert len(set(drawn)) == len(drawn)
    for place in range(17):
        seen = {one[place] for one in drawn}
        assert len(seen) == 55


async def test_a_step_up_does_not_outlive_its_session() -> None:
    """B28: the session ends before every look the step-up takes; no new token counts."""
    for at in count(1):
        store = InterposedStore()
        world = await make_crowd(store=store)
        held = await NATIVE.enter(world, WHO)

        async def happening(world: World = world, session: str = held.session) -> None:
            scope = OneSession(session=SessionId(session))
            await logout(world.env, operator(TENANT, ANYWHERE), scope)

        ask = as_json(
            "POST",
            "/v1/step-up",
            {"password": PASSWORD},
            Authorization=f"Bearer {held.token}",
        )
        store.arm(at, happening)
        answer = await NATIVE.send(world, ask)
        store.disarm()
        if not store.happened:
            assert answer.granted, answer
            break
        assert await unended(world) == 0
        shown = NATIVE.learn(answer.reply)
        assert not shown or not (await NATIVE.send(world, NATIVE.check(shown, WHO))).granted


async def test_a_second_factor_given_while_the_session_ends_ends_nobody() -> None:
    """B28, C42: proving and acting in one request, as Rocket.Chat does."""
    world = await make_crowd()
    by = await ROCKETCHAT.enter(world, peer("admin-a"))
    held = await ROCKETCHAT.enter(world, WHO)

    async def happening() -> None:
        await logout(
            world.env, operator(TENANT, ANYWHERE), OneSession(session=SessionId(by.session))
        )

    passwords = InterposedPasswords(world.env.passwords, happening, after=True)
    during = replace(world, env=replace(world.env, passwords=passwords))
    ask = as_json(
        "POST",
        "/api/v1/sessions/logout",
        {"sessionId": held.session},
        **rocketchat(by.shown),
        X_2fa_Code=digest_password(PASSWORD),
        X_2fa_Method="password",
    )
    answer = await ROCKETCHAT.send(during, ask)
    assert not answer.granted
    assert json_of(answer.reply)["success"] is False
    assert (await ROCKETCHAT.ask_who(world, held)).granted
