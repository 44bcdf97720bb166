"""Section G: codes used twice, guessed, carried over, or gone around."""

import asyncio
from dataclasses import replace

import pytest

from lastcall.domain.policy import Policy
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from tests.access.driving import (
    PASSWORD,
    Answer,
    Ask,
    Wire,
    alive,
    as_json,
    make_crowd,
    named,
    peer,
)
from tests.access.endings import ENDINGS, Ending, Target
from tests.access.wires import NATIVE, ROCKETCHAT, WIRES, rocketchat
from tests.fakes import FakeVault
from tests.world import ACCOUNTS, World

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES, ids=named)
TESS = next(one for one in ACCOUNTS if one.username == "tess")
EMIL = next(one for one in ACCOUNTS if one.username == "emil")
SECRETS = {"tess": "Tess_1234", "emil": "Emil_1234"}


def totp(world: World, who: Subject = TESS, steps: int = 0) -> str:
    secret = FakeVault().open(who.totp_secret, f"totp:{who.id}")
    return world.totp.code(secret, world.clock.wall() // 30_000 + steps)


def by_rocketchat(who: Subject, code: str, password: str = "") -> Ask:
    body = {"user": who.username, "password": password or SECRETS[who.username], "code": code}
    return as_json("POST", "/api/v1/login", body)


def by_native(who: Subject, code: str, password: str = "") -> Ask:
    body = {"username": who.username, "password": password or SECRETS[who.username], "code": code}
    return as_json("POST", "/v1/login", body)


BOTH = ((NATIVE, by_native), (ROCKETCHAT, by_rocketchat))


async def log_in(world: World, code: str, who: Subject = TESS, number: int = 0) -> Answer:
    wire, ask = BOTH[number % 2]
    return await wire.send(world, ask(who, code), address=f"10.9.{number // 250}.{number % 250}")


async def test_one_code_in_two_hundred_hands() -> None:
    """CVE-2026-20779: all at once, over two wires and as many addresses, it counts once."""
    world = await make_crowd()
    code = totp(world)
    answers = await asyncio.gather(*(log_in(world, code, number=one) for one in range(200)))
    assert sum(answer.granted for answer in answers) == 1
    assert await world.env.store.live_sessions() == 1


async def test_a_code_used_on_one_wire_is_used_on_all() -> None:
    """Nor does white space make a new code of it (CVE-2025-6014)."""
    world = await make_crowd()
    code = totp(world)
    assert (await log_in(world, code, number=0)).granted
    for again in (code, f" {code}", f"{code[:3]} {code[3:]}", f"{code}\n"):
        assert not (await log_in(world, again, number=1)).granted


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (1, True), (2, False)])
async def test_the_window_is_one_step_to_either_side(steps: int, *, good: bool) -> None:
    """G83."""
    world = await make_crowd()
    assert (await log_in(world, totp(world, steps=steps))).granted is good


async def test_an_older_code_than_the_last_used_is_used() -> None:
    """Also when the clock was set back."""
    world = await make_crowd()
    assert (await log_in(world, totp(world, steps=1))).granted
    assert not (await log_in(world, totp(world))).granted
    world.clock.wall_offset = -30_000
    assert not (await log_in(world, totp(world, steps=1))).granted


async def test_guesses_add_up_over_addresses_wires_and_sessions() -> None:
    """AuthQuake: after five, even the right code is none, until the lock-out is over."""
    world = await make_crowd()
    for number in range(5):
        assert not (await log_in(world, "000000", number=number)).granted
    assert not (await log_in(world, totp(world), number=6)).granted
    assert not (await log_in(world, totp(world), number=7)).granted
    world.clock.advance(300_000)
    assert (await log_in(world, totp(world), number=8)).granted


async def test_a_right_password_does_not_wipe_the_guesses_out() -> None:
    """Each of these logins proves the password anew; the codes still count together."""
    world = await make_crowd()
    for number in range(4):
        await log_in(world, "000000", number=number)
        refused = await log_in(world, "", number=number)
        assert not refused.granted
    await log_in(world, "000000", number=9)
    assert not (await log_in(world, totp(world), number=10)).granted


@EVERY_WIRE
async def test_a_digest_is_not_a_password(wire: Wire) -> None:
    """What proves the password as a second factor does not log in as one."""
    world = await make_crowd()
    _, shown = await wire.try_login(world, peer("monitor-a"), digest_password(PASSWORD))
    assert not shown


async def test_a_code_is_for_the_person_it_was_sent_to() -> None:
    """CVE-2025-64175: not for anybody else, however right it is."""
    world = await make_crowd()
    assert not (await log_in(world, "", EMIL)).granted
    code = world.mailer.sent[-1][2]
    assert not (await log_in(world, code, TESS)).granted
    assert not (await log_in(world, totp(world), EMIL)).granted
    assert (await log_in(world, code, EMIL)).granted


async def test_only_the_newest_code_by_mail_counts_and_only_once() -> None:
    """G89."""
    world = await make_crowd()
    await log_in(world, "", EMIL)
    ask = as_json("POST", "/api/v1/users.2fa.sendEmailCode", {"emailOrUsername": "emil"})
    assert (await ROCKETCHAT.send(world, ask)).granted
    older, newer = (mail[2] for mail in world.mailer.sent[-2:])
    assert older != newer
    assert not (await log_in(world, older, EMIL)).granted
    assert (await log_in(world, newer, EMIL)).granted
    assert not (await log_in(world, newer, EMIL)).granted


async def test_a_code_for_a_session_dies_with_it() -> None:
    """Asked for before a logout, it is no good in the next session."""
    world = await make_crowd()

    async def entered() -> dict[str, str]:
        await log_in(world, "", EMIL)
        answer = await ROCKETCHAT.send(world, by_rocketchat(EMIL, world.mailer.sent[-1][2]))
        return rocketchat(ROCKETCHAT.learn(answer.reply))

    headers = await entered()
    victim = await ROCKETCHAT.enter(world, peer("monitor-a"))
    path, body = "/api/v1/sessions/logout", {"sessionId": victim.session}
    await ROCKETCHAT.send(world, as_json("POST", path, body, **headers))
    code = world.mailer.sent[-1][2]
    await ROCKETCHAT.send(world, Ask("POST", "/api/v1/logout", headers))
    headers = await entered()
    proved = {"X-2fa-Code": code, "X-2fa-Method": "email"}
    answer = await ROCKETCHAT.send(world, as_json("POST", path, body, **headers, **proved))
    assert not answer.granted
    assert await alive(world, victim)


@EVERY_WIRE
async def test_what_is_enrolled_is_told_to_nobody_without_the_password(wire: Wire) -> None:
    """With a wrong one, an account with factors looks like one that does not exist."""
    world = await make_crowd()
    known, _ = await wire.try_login(world, TESS, "wrong")
    world = await make_crowd()
    unknown, _ = await wire.try_login(world, replace(TESS, username="nobody"), "wrong")
    assert known.seen == unknown.seen
    assert b"totp" not in known.reply.body.lower()


@EVERY_WIRE
async def test_no_wire_takes_the_password_alone(wire: Wire) -> None:
    """CVE-2026-32246: neither where a code can be given nor where it cannot."""
    for who in (TESS, EMIL):
        world = await make_crowd()
        _, shown = await wire.try_login(world, who, SECRETS[who.username])
        assert not shown
        assert await world.env.store.live_sessions() == 0


@pytest.mark.parametrize("way", ENDINGS, ids=lambda way: way.name)
async def test_every_way_to_end_another_asks_for_the_factor(way: Ending) -> None:
    """Where the tenant demands one; one's own logout needs none."""
    world = await make_crowd(policy=Policy(second_factor_for_others=True))
    by = await way.wire.enter(world, peer("admin-a"))
    held = await way.wire.enter(world, peer("monitor-b"))
    ask = way.ask(by, Target.of(held))
    bare = {name: text for name, text in ask.headers.items() if "2fa" not in name.lower()}
    answer = await way.wire.send(world, replace(ask, headers=bare))
    assert not answer.granted, answer
    assert await alive(world, held)
    assert (await way.wire.leave(world, by)).granted
    assert not await alive(world, by)
