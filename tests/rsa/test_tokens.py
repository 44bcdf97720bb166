"""Tokens: their look, their strength, and every place one of them must not count."""

import re
from typing import Any

import pytest

from lastcall.authority.introspect import introspect
from lastcall.authority.logout import logout
from lastcall.dialects.rsa import RSA
from lastcall.dialects.rsa.commands import mint
from lastcall.domain.access import operator
from lastcall.domain.audit import Action, Outcome, Record
from lastcall.domain.logout import OfSubject
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.types import DialectName, Instant, SessionId, SubjectId
from lastcall.machine import SystemEntropy
from lastcall.wire import Reply
from tests.authority.acts import begin
from tests.rsa.acts import ask, log_in, login_body, text_of
from tests.world import OTHER, TENANT, World, make_world

LOOK = re.compile(r"ws[0-9a-f]{18}:-[0-9a-f]{8}:[0-9a-f]{11}:-[0-9a-f]{4}0\.[0-9]{16}")
DEAD = "The token is not valid for the command 'logoutUser'. Token is invalid or expired"
NATIVE = Origin(dialect=DialectName("native"))
HELD = ("logoutUser", "keepAlive", "getSecuritySettings")


async def records(world: World) -> list[Record]:
    async with world.env.store.transaction(TENANT) as tx:
        return list(await tx.records())


async def live(world: World, token: str) -> bool:
    return await introspect(world.env, TENANT, token, NATIVE) is not None


async def all_refused(world: World, token: str, **how: Any) -> list[Reply]:
    replies = [await ask(world, command, token=token, **how) for command in HELD]
    assert [reply.status for reply in replies] == [401] * len(HELD)
    return replies


def test_tokens_look_like_the_vendors_and_are_all_chance() -> None:
    tokens = [mint(SystemEntropy(), SessionId("s"), Instant(0)) for _ in range(2_000)]
    assert all(LOOK.fullmatch(token) for token in tokens)
    assert len(set(tokens)) == len(tokens)
    for place in range(len(tokens[0])):
        seen = {token[place] for token in tokens}
        fixed = tokens[0][place] in "ws:-." or tokens[0][place : place + 2] == "0."
        assert len(seen) == 1 if fixed and len(seen) == 1 else len(seen) in (10, 16)


def test_at_least_128_bits_of_a_token_are_random() -> None:
    token = mint(SystemEntropy(), SessionId("s"), Instant(0))
    groups = re.findall(r"[0-9a-f]+", token.removeprefix("ws"))
    hexadecimal = sum(map(len, groups[:3])) + 4
    assert 4 * hexadecimal >= 128


async def test_after_logout_it_is_dead_everywhere() -> None:
    world = await make_world()
    token = await log_in(world)
    assert await live(world, token)
    assert (await ask(world, "logoutUser", token=token)).status == 200
    assert not await live(world, token)
    assert text_of((await all_refused(world, token))[0]) == DEAD


async def test_it_ends_its_own_session_and_no_other() -> None:
    world = await make_world()
    first, second = await log_in(world), await log_in(world)
    other = await log_in(world, "engineer", "Engineer_1234")
    elsewhere = await begin(world, "john", dialect="elvis")
    assert (await ask(world, "logoutUser", token=first)).status == 200
    assert [await live(world, token) for token in (first, second, other, elsewhere.token)] == [
        False,
        True,
        True,
        True,
    ]


async def test_tokens_of_other_wires_do_not_count_here() -> None:
    world = await make_world()
    for dialect in ("native", "multitech", "soajs", "elvis", "rocketchat"):
        begun = await begin(world, "john", dialect=dialect)
        assert text_of((await all_refused(world, begun.token))[0]) == DEAD
        assert await live(world, begun.token)


async def test_tokens_of_other_tenants_do_not_count_here() -> None:
    world = await make_world()
    token = await log_in(world)
    here = await all_refused(world, "ws-unknown")
    there = await all_refused(world, token, tenant=OTHER)
    assert [(one.status, one.body, one.headers) for one in here] == [
        (one.status, one.body, one.headers) for one in there
    ]
    assert await live(world, token)


async def test_a_logout_from_elsewhere_counts_here() -> None:
    world = await make_world()
    token = await log_in(world)
    scope = OfSubject(subject=SubjectId("u-john"))
    await logout(world.env, operator(TENANT, NATIVE), scope)
    await all_refused(world, token)


async def test_lifespan_is_from_login_however_busy() -> None:
    world = await make_world()
    token = await log_in(world)
    for _ in range(15):
        world.clock.advance(8 * 60_000 - 1)
        assert (await ask(world, "keepAlive", token=token)).status == 200
    world.clock.advance(15)
    await all_refused(world, token)


async def test_reading_the_settings_is_a_use_as_well() -> None:
    world = await make_world()
    token = await log_in(world)
    for _ in range(3):
        world.clock.advance(9 * 60_000)
        assert (await ask(world, "getSecuritySettings", token=token)).status == 200


@pytest.mark.parametrize(
    "offered",
    [
        "",
        " ",
        "ws",
        "null",
        "undefined",
        "<token>",
        "*",
        "%",
        "' or 1=1 --",
        "a b",
        "\0",
        "é" * 9_999,
    ],
)
async def test_what_is_no_token_is_refused(offered: str) -> None:
    world = await make_world()
    await log_in(world)
    headers = {"Authorization": f"Bearer {offered}"}
    for command in HELD:
        assert (await ask(world, command, headers=headers)).status == 401


async def test_two_headers_are_none() -> None:
    world = await make_world()
    token = await log_in(world)
    call = world.call(RSA, "POST", "/aveksa/command.submit?cmd=logoutUser")
    twice = call.with_(headers={"authorization": (f"Bearer {token}", f"Bearer {token}")})
    assert (await RSA.answer(twice)).status == 401
    assert await live(world, token)


async def test_another_scheme_leaves_the_parameter_standing() -> None:
    world = await make_world()
    token = await log_in(world)
    reply = await ask(
        world, "logoutUser", f"token={token}", headers={"Authorization": "Basic am9objp4"}
    )
    assert reply.status == 200


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"\xff", b"<username>", b"logoutUser=admin", b"x" * 100_000]
)
async def test_a_logout_looks_at_no_body(body: bytes) -> None:
    world = await make_world()
    token = await log_in(world)
    reply = await ask(world, "logoutUser", "format=json", token=token, body=body)
    assert reply.body == b'{"data":{"type":"logoutUser"}}'


async def test_what_is_written_down() -> None:
    world = await make_world()
    token = await log_in(world)
    await ask(world, "logoutUser", token=token)
    await ask(world, "loginUser", body=login_body("john", "swordfish"))
    written = await records(world)
    assert [(one.event.action, one.event.outcome) for one in written] == [
        (Action.LOGIN, Outcome.DONE),
        (Action.LOGOUT, Outcome.DONE),
        (Action.LOGIN, Outcome.REFUSED),
    ]
    assert token not in repr(written)
    assert "swordfish" not in repr(written)


async def test_a_full_house_is_a_conflict() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=1, when_full=WhenFull.REFUSE))
    await log_in(world)
    reply = await ask(world, "loginUser", body=login_body("john", "johnpassword"))
    assert (reply.status, text_of(reply)) == (
        409,
        "The user has too many sessions. Query String=cmd=loginUser",
    )
