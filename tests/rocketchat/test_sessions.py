"""Sessions on the Rocket.Chat wire: whose they are, how long they last, and who sees them."""

import base64
import hashlib
from dataclasses import replace

import pytest

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import Start, login
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.domain.origin import Origin
from lastcall.domain.session import Device, Lifetime
from lastcall.domain.token import hash_token
from lastcall.domain.types import DAY, DialectName, Kind
from tests.rocketchat.client import Client, said, sha
from tests.world import TENANT, World, make_world

EVERYWHERE = Settings(API_Enable_Rate_Limiter=False, reach="everywhere")


async def login_elsewhere(world: World, username: str, password: str) -> str:
    """A session of the same subject, begun at another wire; its token."""
    origin = Origin(dialect=DialectName("native"), address="192.0.2.1")
    proven = await prove(world.env, TENANT, origin, Credentials(name=username, password=password))
    start = Start(
        kind=Kind.API,
        lifetime=Lifetime(idle=None, absolute=DAY),
        mint=lambda entropy, _id, _at: entropy.bytes(32).hex(),
    )
    return (await login(world.env, origin, proven, start)).token


async def live_elsewhere(world: World, token: str) -> bool:
    found = await world.env.store.find(hash_token(token))
    return found is not None and found.session.ended is None


async def test_a_token_is_43_characters_and_an_id_17() -> None:
    client = await Client(world=await make_world()).as_("monitor")
    assert len(client.token) == 43
    assert set(client.token) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
    assert len((await client.session()).id) == 17


async def test_nothing_made_from_a_token_is_ever_shown() -> None:
    world = await make_world()
    monitor = await Client(world=world).as_("monitor")
    admin = await Client(world=world).as_("admin")
    hashed = hashlib.sha256(monitor.token.encode()).digest()
    session = (await monitor.session()).id
    replies = [
        await monitor.get("me"),
        await monitor.get("sessions/list"),
        await monitor.get(f"sessions/info?sessionId={session}"),
        await admin.get("sessions/list.all", x_2fa_code=sha("admin")),
        await admin.get(f"sessions/info.admin?sessionId={session}"),
    ]
    for reply in replies:
        assert reply.status == 200
        for form in (base64.b64encode(hashed), hashed.hex().encode(), monitor.token.encode()):
            assert form not in reply.body
        assert b"loginToken" not in reply.body


async def test_others_sessions_are_not_there_for_whoever_may_not() -> None:
    world = await make_world()
    monitor = await Client(world=world).as_("monitor")
    admin = await Client(world=world).as_("admin")
    session = (await admin.session()).id
    unknown = await monitor.post("sessions/logout.me", {"sessionId": "tTouumJMrHMjnedWf"})
    foreign = await monitor.post("sessions/logout.me", {"sessionId": session})
    assert (unknown.status, unknown.body) == (foreign.status, foreign.body)
    for path in (f"sessions/info?sessionId={session}", "sessions/info?sessionId=tTouumJMrHMjnedWf"):
        assert (await monitor.get(path)).body == unknown.body
    refused = await monitor.post(
        "sessions/logout", {"sessionId": session}, x_2fa_code=sha("monitor")
    )
    assert refused.status == 403
    assert await admin.live()


@pytest.mark.parametrize("path", ["sessions/list", "sessions/list.all"])
async def test_reach_bounds_the_lists(path: str) -> None:
    world = await make_world()
    await login_elsewhere(world, "admin", "Admin_1234")
    own = await Client(world=world).as_("admin")
    everywhere = own.but(settings=EVERYWHERE)
    assert said(await own.get(path, x_2fa_code=sha("admin")))["total"] == 1
    assert said(await everywhere.get(path))["total"] == 2


@pytest.mark.parametrize(
    ("call", "keeps_own"),
    [
        ("users.logout", False),
        ("users.logoutOtherClients", True),
        ("users.removeOtherTokens", True),
    ],
)
async def test_reach_bounds_what_ends(call: str, keeps_own: bool) -> None:
    world = await make_world()
    token = await login_elsewhere(world, "monitor", "Monitor_1234")
    client = Client(world=world)
    first, second = await client.as_("monitor"), await client.as_("monitor")
    assert (await second.post(call)).status == 200
    assert not await first.live()
    assert await second.live() is keeps_own
    assert await live_elsewhere(world, token)

    third = (await client.as_("monitor")).but(settings=EVERYWHERE)
    assert (await third.post(call)).status == 200
    assert not await live_elsewhere(world, token)


async def test_a_token_of_another_wire_is_none_here() -> None:
    world = await make_world()
    token = await login_elsewhere(world, "monitor", "Monitor_1234")
    client = Client(world=world, headers=(("x-user-id", "u-monitor"), ("x-auth-token", token)))
    assert (await client.get("me")).status == 401
    assert (await client.post("login", {"resume": token})).status == 401


async def test_a_token_lasts_ninety_days_however_much_it_is_used() -> None:
    world = await make_world()
    monitor = await Client(world=world).as_("monitor")
    world.clock.advance(90 * DAY - 1)
    assert await monitor.live()
    world.clock.advance(1)
    assert not await monitor.live()


async def test_the_oldest_token_makes_room() -> None:
    world = await make_world()
    token = await login_elsewhere(world, "monitor", "Monitor_1234")
    client = Client(
        world=world, settings=Settings(API_Enable_Rate_Limiter=False, MAX_RESUME_LOGIN_TOKENS=2)
    )
    clients = [await client.as_("monitor") for _ in range(3)]
    assert [await one.live() for one in clients] == [False, True, True]
    assert await live_elsewhere(world, token)


@pytest.mark.parametrize(
    ("agent", "kind"), [("Mozilla/5.0", Kind.BROWSER), ("curl/8", Kind.NON_BROWSER)]
)
async def test_a_browser_is_told_by_its_user_agent(agent: str, kind: Kind) -> None:
    world = await make_world()
    world.env = replace(
        world.env, device_of=lambda text: Device(type="browser" if "Moz" in text else "other")
    )
    client = await Client(world=world, agent=agent).as_("monitor")
    assert (await client.session()).kind is kind


async def test_using_a_token_of_somebody_else_does_not_keep_it_alive() -> None:
    world = await make_world()
    settings = Settings(API_Enable_Rate_Limiter=False, idle_timeout=60)
    monitor = await Client(world=world, settings=settings).as_("monitor")
    world.clock.advance(59_000)
    assert (await monitor.get("me", x_user_id="u-admin")).status == 401
    world.clock.advance(1_000)
    assert not await monitor.live()


async def test_no_codes_without_an_address() -> None:
    world = await make_world()
    async with world.env.store.transaction(TENANT) as tx:
        john = await tx.subject_named("john")
        assert john is not None
        await tx.change_subject(replace(john, email=""))
    client = await Client(world=world).as_("john")
    reply = await client.post("users.2fa.enableEmail")
    assert (reply.status, said(reply)) == (
        400,
        {
            "success": False,
            "error": "You need to verify your emails before setting up 2FA [error-invalid-user]",
            "errorType": "error-invalid-user",
        },
    )
    assert "email" not in said(await client.get("me"))


async def test_an_admins_own_session_goes_by_the_same_call() -> None:
    world = await make_world()
    admin = await Client(world=world).as_("admin")
    session = (await admin.session()).id
    done = await admin.post("sessions/logout", {"sessionId": session}, x_2fa_code=sha("admin"))
    assert said(done) == {"sessionId": session, "success": True}
    assert not await admin.live()


async def test_a_refusal_leaves_one_record_and_no_secret() -> None:
    world = await make_world()
    monitor = await Client(world=world).as_("monitor")
    async with world.env.store.transaction(TENANT) as tx:
        before = len(await tx.records(limit=1_000))
    await monitor.post("sessions/logout", {"sessionId": "nothing"}, x_2fa_code=sha("monitor"))
    async with world.env.store.transaction(TENANT) as tx:
        records = (await tx.records(limit=1_000))[before:]
    assert [(one.event.action, one.event.outcome, one.event.code) for one in records] == [
        ("logout", "refused", "denied")
    ]
    assert sha("monitor") not in str(records)
    assert monitor.token not in str(records)


async def test_a_filter_means_few_users_by_name() -> None:
    world = await make_world()
    admin = await Client(world=world).as_("admin")
    await Client(world=world).as_("monitor")
    found = said(await admin.get("sessions/list.all?filter=ADA", x_2fa_code=sha("admin")))
    assert [row["_user"]["username"] for row in found["sessions"]] == ["admin"]
