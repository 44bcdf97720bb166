"""What the conversations cannot show: transport security, other wires, audit, and the store."""

import json
import re
from typing import Any

import msgspec
import pytest

from lastcall.authority.introspect import introspect
from lastcall.dialects.multitech import MULTITECH
from lastcall.dialects.multitech.settings import Settings
from lastcall.domain.audit import Action, Outcome, Record
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Policy
from lastcall.domain.types import DialectName
from lastcall.wire import Reply
from tests.authority.acts import begin
from tests.world import TENANT, World, make_world

LOGIN = "/api/login?username=%s&password=%s_1234"


async def ask(world: World, target: str, **more: Any) -> Reply:
    return await world.ask(MULTITECH, "GET", target, **more)


async def token_of(world: World, name: str = "admin", **more: Any) -> str:
    reply = await ask(world, LOGIN % (name, name.title()), **more)
    assert reply.status == 200, reply.body
    token: str = json.loads(reply.body)["result"]["token"]
    return token


async def records(world: World) -> list[Record]:
    async with world.env.store.transaction(TENANT) as tx:
        return list(await tx.records())


async def live(world: World, token: str) -> bool:
    origin = Origin(dialect=DialectName("native"))
    return await introspect(world.env, TENANT, token, origin) is not None


async def test_the_cookie_is_secure_on_tls_and_only_there() -> None:
    """With `Secure` over plain HTTP the vendor's Python client would drop it without a word."""
    world = await make_world()
    for scheme in ("http", "https"):
        call = world.call(MULTITECH, "GET", LOGIN % ("admin", "Admin")).with_(scheme=scheme)
        reply = await MULTITECH.answer(call)
        token = json.loads(reply.body)["result"]["token"]
        secure = " Secure;" if scheme == "https" else ""
        cookie = f"token={token}; Path=/; SameSite=Strict;{secure} HttpOnly"
        assert ("Set-Cookie", cookie) in reply.headers
        logout = world.call(MULTITECH, "GET", f"/api/logout?token={token}").with_(scheme=scheme)
        cleared = f"token=; Path=/; Max-Age=0; SameSite=Strict;{secure} HttpOnly"
        assert ("Set-Cookie", cleared) in (await MULTITECH.answer(logout)).headers


async def test_tokens_are_128_bits_in_upper_case_hex() -> None:
    assert re.fullmatch(r"[0-9A-F]{32}", await token_of(await make_world()))


async def test_logout_user_stays_within_this_wire_unless_told_otherwise() -> None:
    world = await make_world()
    admin = await token_of(world)
    away = (await begin(world, "monitor")).token
    here = await token_of(world, "monitor")
    target = f"/api/logout?logoutUser=monitor&token={admin}"
    assert (await ask(world, target)).status == 200
    assert not await live(world, here)
    assert await live(world, away)
    reply = await ask(world, target, settings=Settings(reach="everywhere"))
    assert json.loads(reply.body)["result"]["address"] == "10.0.0.1"
    assert not await live(world, away)


async def test_ones_own_logout_leaves_the_other_wires_alone() -> None:
    world = await make_world()
    away = (await begin(world, "monitor")).token
    settings = Settings(reach="everywhere")
    own = "/api/logout?username=monitor&password=Monitor_1234"
    assert (await ask(world, own, settings=settings)).status == 200
    assert await live(world, away)


async def test_an_expired_session_is_not_shown_as_the_one_that_ended() -> None:
    world = await make_world()
    await token_of(world, "monitor")
    world.clock.advance(300_000)
    reply = await ask(world, "/api/logout?username=monitor&password=Monitor_1234")
    assert "token" not in json.loads(reply.body)["result"]


async def test_the_tenants_rule_about_second_factors_holds_here() -> None:
    """A wire that cannot carry the factor refuses; one's own logout needs none."""
    world = await make_world(policy=Policy(second_factor_for_others=True))
    token = await token_of(world)
    assert (await ask(world, f"/api/logout?logoutUser=monitor&token={token}")).status == 403
    assert (await ask(world, f"/api/logout?token={token}")).status == 200


async def test_a_logout_by_password_begins_no_session() -> None:
    world = await make_world()
    assert (await ask(world, "/api/logout?username=admin&password=Admin_1234")).status == 200
    assert await world.env.store.live_sessions() == 0


async def test_each_change_and_each_refusal_is_on_record_without_its_secrets() -> None:
    world = await make_world()
    token = await token_of(world, "monitor")
    await ask(world, "/api/login?username=admin&password=GUESS")
    await ask(world, f"/api/logout?logoutUser=admin&token={token}")
    await ask(
        world,
        "/api/logout",
        headers={"Cookie": f"token={token}", "Sec-Fetch-Site": "cross-site"},
    )
    await ask(world, f"/api/logout?token={token}")
    kept = await records(world)
    assert [(record.event.action, record.event.outcome) for record in kept] == [
        (Action.LOGIN, Outcome.DONE),
        (Action.LOGIN, Outcome.REFUSED),
        (Action.LOGOUT, Outcome.REFUSED),
        (Action.LOGOUT, Outcome.REFUSED),
        (Action.LOGOUT, Outcome.DONE),
    ]
    assert {record.event.origin.dialect for record in kept} == {"multitech"}
    for secret in (token, "GUESS", "Monitor_1234"):
        assert secret not in repr(kept)


@pytest.mark.parametrize(
    "section",
    [
        {"timeoutSeconds": 59},
        {"lifetime_seconds": 0},
        {"reach": "all"},
        {"timeout_seconds": 300},
        {"bruteForcePrevention": {"failAttempts": 0}},
    ],
)
def test_settings_that_make_no_sense_are_refused(section: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(section, Settings)
