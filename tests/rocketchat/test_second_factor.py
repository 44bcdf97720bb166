"""Second factors on the Rocket.Chat wire: once, from here, for a while, and never a weaker one."""

import asyncio
from collections.abc import Sequence

import pytest

from lastcall.dialects.rocketchat.settings import Settings
from lastcall.domain.policy import Policy
from lastcall.domain.types import MINUTE
from lastcall.index import Change, Report
from lastcall.stores.memory import AtOnce, MemoryStore
from tests.rocketchat.client import Client, said, sha, totp
from tests.world import make_world

NO_MEMORY = Settings(API_Enable_Rate_Limiter=False, Accounts_TwoFactorAuthentication_RememberFor=0)
NOTHING = {"sessionId": "nothing"}


async def end(client: Client, id: str = "nothing", **headers: str) -> tuple[int, str]:
    reply = await client.post("sessions/logout", {"sessionId": id}, **headers)
    return reply.status, said(reply).get("errorType", "")


async def test_one_code_serves_one_of_many_parallel_calls() -> None:
    world = await make_world()
    tess = await Client(world=world, settings=NO_MEMORY).as_("tess", totp(world))
    world.clock.advance(30_000)
    code = totp(world)
    answers = await asyncio.gather(*(end(tess, x_2fa_code=code) for _ in range(20)))
    assert sum(status == 404 for status, _ in answers) == 1
    assert {kind for status, kind in answers if status == 400} <= {
        "totp-invalid",
        "totp-max-attempts",
    }


async def test_one_code_serves_one_of_many_parallel_logins() -> None:
    world = await make_world()
    client, code = Client(world=world), totp(world)
    body = {"user": "tess", "password": "Tess_1234", "code": code}
    replies = await asyncio.gather(*(client.post("login", body) for _ in range(20)))
    assert sum(reply.status == 200 for reply in replies) == 1


async def test_spaces_do_not_make_a_used_code_new() -> None:
    world = await make_world()
    code = totp(world)
    tess = await Client(world=world, settings=NO_MEMORY).as_("tess", code)
    assert await end(tess, x_2fa_code=f"{code[:3]} {code[3:]}") == (400, "totp-invalid")


@pytest.mark.parametrize("method", ["password", "PASSWORD", "nonsense", ""])
async def test_a_password_is_no_factor_where_a_stronger_one_is_on(method: str) -> None:
    world = await make_world()
    tess = await Client(world=world).as_("tess", totp(world))
    answer = await end(tess, x_2fa_code=sha("tess"), x_2fa_method=method)
    assert answer == (400, "totp-invalid")


async def test_a_method_that_is_not_on_is_not_used() -> None:
    world = await make_world()
    tess = await Client(world=world).as_("tess", totp(world))
    reply = await tess.post("sessions/logout", NOTHING, x_2fa_method="email")
    assert said(reply)["details"]["method"] == "totp"
    assert world.mailer.sent == []


async def test_a_login_with_a_second_factor_is_not_remembered() -> None:
    world = await make_world()
    tess = await Client(world=world).as_("tess", totp(world))
    assert await end(tess) == (400, "totp-required")


async def test_remembered_for_this_agent_at_this_address_with_this_token() -> None:
    world = await make_world()
    admin = await Client(world=world).as_("admin")
    assert await end(admin, x_2fa_code=sha("admin")) == (404, "")
    assert await end(admin) == (404, "")
    assert await end(admin, x_2fa_code="wrong") == (404, "")
    assert await end(admin.but(agent="test/2")) == (400, "totp-required")
    assert await end(admin.but(address="192.0.2.1")) == (400, "totp-required")
    assert await end(await Client(world=world).as_("admin")) == (400, "totp-required")
    world.clock.advance(1_800_000 - 1)
    assert await end(admin) == (404, "")
    world.clock.advance(1)
    assert await end(admin) == (400, "totp-required")


async def test_what_was_remembered_ends_with_the_token() -> None:
    world = await make_world()
    admin = await Client(world=world).as_("admin")
    assert await end(admin, x_2fa_code=sha("admin")) == (404, "")
    await admin.post("logout")
    assert (await end(admin))[0] == 401


async def test_nothing_is_remembered_when_that_is_turned_off() -> None:
    world = await make_world()
    admin = await Client(world=world, settings=NO_MEMORY).as_("admin")
    assert await end(admin, x_2fa_code=sha("admin")) == (404, "")
    assert await end(admin) == (400, "totp-required")


async def test_turning_codes_off_takes_a_factor_each_time_and_leaves_none_behind() -> None:
    world = await make_world()
    admin = await Client(world=world).as_("admin")
    assert await end(admin, x_2fa_code=sha("admin")) == (404, "")
    assert (await admin.post("users.2fa.disableEmail")).status == 400

    other = await Client(world=world).as_("admin")
    assert (await other.post("users.2fa.disableEmail", x_2fa_code=sha("admin"))).status == 200
    assert await end(other) == (400, "totp-required")


async def test_a_code_mailed_for_one_session_is_none_in_another() -> None:
    world = await make_world()
    client = Client(world=world)
    await client.post("users.2fa.sendEmailCode", {"emailOrUsername": "emil"})
    one = await client.as_("emil", world.mailer.sent[-1][2])
    await client.post("users.2fa.sendEmailCode", {"emailOrUsername": "emil"})
    two = await client.as_("emil", world.mailer.sent[-1][2])
    await one.post("users.2fa.sendEmailCode", {"emailOrUsername": "emil"})
    code = world.mailer.sent[-1][2]
    assert await end(two, x_2fa_code=code) == (400, "totp-invalid")
    assert await end(one, x_2fa_code=code) == (404, "")


async def test_mails_are_held_back_and_the_answer_does_not_tell() -> None:
    world = await make_world()
    settings = Settings(API_Enable_Rate_Limiter=False, email_codes_per_hour=3)
    client = Client(world=world, settings=settings)
    for _ in range(5):
        reply = await client.post("users.2fa.sendEmailCode", {"emailOrUsername": "emil"})
        assert said(reply) == {"success": True}
    assert len(world.mailer.sent) == 3


async def test_the_rule_for_ending_others_holds_for_users_logout_too() -> None:
    world = await make_world(policy=Policy(second_factor_for_others=True))
    client = Client(world=world)
    admin, monitor = await client.as_("admin"), await client.as_("monitor")
    body = {"userId": "u-monitor"}
    refused = await admin.post("users.logout", body)
    assert (refused.status, said(refused)["errorType"]) == (400, "totp-required")
    assert await monitor.live()
    done = await admin.post("users.logout", body, x_2fa_code=sha("admin"))
    assert done.status == 200
    assert not await monitor.live()
    assert (await admin.post("users.logout", {})).status == 200


async def test_that_rule_outranks_the_settings_of_this_wire() -> None:
    world = await make_world(policy=Policy(second_factor_for_others=True))
    settings = Settings(
        API_Enable_Rate_Limiter=False,
        Accounts_TwoFactorAuthentication_Enabled=False,
        Accounts_TwoFactorAuthentication_Enforce_Password_Fallback=False,
    )
    client = Client(world=world, settings=settings)
    admin, monitor = await client.as_("admin"), await client.as_("monitor")
    target = (await monitor.session()).id
    assert await end(admin, target) == (400, "totp-required")
    assert await end(admin, target, x_2fa_code=sha("admin")) == (200, "")
    world.clock.advance(5 * MINUTE)
    assert await end(admin) == (400, "totp-required")


class Writes(AtOnce):
    """How many transactions had something to write: what an answer waits for."""

    number = 0

    def append(self, ticket: int, changes: Sequence[Change], report: Report) -> bool:
        self.number += 1
        return super().append(ticket, changes, report)


async def test_asking_for_a_code_takes_as_long_whoever_the_name_is_of() -> None:
    """Known, disabled, without an address, unknown: as many waits for the disk (I12)."""
    log = Writes()
    client = Client(world=await make_world(MemoryStore(log)))
    for allowed in (True,) * Settings().email_codes_per_hour + (False,):
        for name in ("emil", "gone", "monitor", "nobody", "nobody@example.com"):
            before = log.number
            await client.post("users.2fa.sendEmailCode", {"emailOrUsername": name})
            assert (name, log.number - before) == (name, int(allowed))
