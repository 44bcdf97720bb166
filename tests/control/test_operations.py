"""What an operator asks for, done through the verbs."""

from typing import Any

import pytest

from lastcall.authority.accounts import accounts
from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import LoggedIn, Start, login
from lastcall.authority.validate import validate
from lastcall.control.operations import run
from lastcall.control.records import Result
from lastcall.domain.errors import (
    BadCredentials,
    Denied,
    Invalid,
    NotAuthenticated,
    NotFound,
)
from lastcall.domain.origin import Origin
from lastcall.domain.session import Lifetime
from lastcall.domain.types import HOUR, DialectName, Kind
from tests.world import TENANT, World, make_world

WEB = Origin(dialect=DialectName("web"), address="10.0.0.1", user_agent="Firefox/1 x")
API = Origin(dialect=DialectName("api"), address="10.0.0.2")


@pytest.fixture
async def world() -> World:
    return await make_world()


async def log_in(world: World, name: str, password: str, origin: Origin = WEB) -> LoggedIn:
    proven = await prove(world.env, TENANT, origin, Credentials(name=name, password=password))
    start = Start(
        kind=Kind.BROWSER,
        lifetime=Lifetime(idle=None, absolute=HOUR),
        mint=lambda entropy, _id, _ends: entropy.bytes(16).hex(),
    )
    return await login(world.env, origin, proven, start)


async def lives(world: World, session: LoggedIn) -> bool:
    origin = Origin(dialect=session.session.dialect)
    try:
        await validate(world.env, TENANT, session.token, origin)
    except NotAuthenticated:
        return False
    return True


async def do(world: World, operation: str, **parameters: Any) -> Result:
    return await run(world.env, operation, parameters)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("users.remove", {}),
        ("users.list", {"limit": "many"}),
        ("users.list", {"colour": "red"}),
        ("users.list", {"tenant": "nobody"}),
        ("sessions.list", {"kind": "other"}),
        ("users.set-password", {"user": "monitor"}),
        ("logout", {}),
    ],
)
async def test_what_makes_no_sense(world: World, operation: str, parameters: Any) -> None:
    with pytest.raises(Invalid):
        await run(world.env, operation, parameters)


async def test_accounts_come_in_pages(world: World) -> None:
    first = await do(world, "users.list", limit=2)
    second = await do(world, "users.list", limit=50, after=first["next"])
    names = [row["username"] for row in (*first["users"], *second["users"])]
    assert names == sorted(names)
    assert len(names) == 8
    assert (len(first["users"]), second["next"]) == (2, None)
    tess = next(row for row in second["users"] if row["username"] == "tess")
    assert tess["second_factors"] == ["totp"]
    assert not any("hash" in key or "secret" in key for key in tess)


async def test_disabling_ends_sessions_and_enabling_revives_none(world: World) -> None:
    session = await log_in(world, "monitor", "Monitor_1234")
    done = await do(world, "users.disable", user="monitor")
    assert (done["user"]["enabled"], done["sessions_ended"]) == (False, 1)
    again = await do(world, "users.enable", user=done["user"]["id"])
    assert (again["user"]["enabled"], again["sessions_ended"]) == (True, 0)
    assert not await lives(world, session)
    assert await lives(world, await log_in(world, "monitor", "Monitor_1234"))


async def test_a_new_password(world: World) -> None:
    session = await log_in(world, "monitor", "Monitor_1234")
    done = await do(world, "users.set-password", user="monitor", password="other")
    assert done["sessions_ended"] == 1
    assert not await lives(world, session)
    with pytest.raises(BadCredentials):
        await log_in(world, "monitor", "Monitor_1234")
    assert await lives(world, await log_in(world, "monitor", "other"))
    with pytest.raises(NotFound):
        await do(world, "users.set-password", user="nobody", password="other")


async def test_listing_sessions(world: World) -> None:
    web = await log_in(world, "monitor", "Monitor_1234")
    api = await log_in(world, "engineer", "Engineer_1234", API)
    await do(world, "sessions.end", sessions=[api.session.id])
    live = await do(world, "sessions.list")
    assert [row["id"] for row in live["sessions"]] == [web.session.id]
    assert live["sessions"][0]["username"] == "monitor"
    every = await do(world, "sessions.list", ended=True, limit=1)
    assert [row["ended"]["why"] for row in every["sessions"]] == ["ended-by-other"]
    rest = await do(world, "sessions.list", ended=True, before=every["next"])
    assert [row["id"] for row in rest["sessions"]] == [web.session.id]
    for wanted in (
        {"user": "monitor"},
        {"dialect": "web"},
        {"kind": "browser"},
        {"address": "10.0.0.1"},
        {"text": "firefox"},
    ):
        assert (await do(world, "sessions.list", **wanted))["total"] == 1
    assert (await do(world, "sessions.list", tenant="other"))["total"] == 0


async def test_ending_some_that_are_and_some_that_are_not(world: World) -> None:
    session = await log_in(world, "monitor", "Monitor_1234")
    done = await do(world, "sessions.end", sessions=[session.session.id, "nothing"], reason="lost")
    assert done["not_found"] == ["nothing"]
    assert [one["sessions_ended"] for one in done["receipts"]] == [1]
    assert done["receipts"][0]["reason"] == "lost"
    with pytest.raises(Invalid):
        await do(world, "sessions.end", tenant="nobody", sessions=["x"])


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ({"user": "monitor"}, [False, False, True]),
        ({"user": "monitor", "dialect": "api"}, [True, False, True]),
        ({"dialect": "web"}, [False, True, False]),
        ({"everyone": True}, [False, False, False]),
        ({"session": "0"}, [False, True, True]),
    ],
)
async def test_logout(world: World, scope: dict[str, Any], left: list[bool]) -> None:
    sessions = [
        await log_in(world, "monitor", "Monitor_1234"),
        await log_in(world, "monitor", "Monitor_1234", API),
        await log_in(world, "admin", "Admin_1234"),
    ]
    if "session" in scope:
        scope = {"session": sessions[int(scope["session"])].session.id}
    done = await do(world, "logout", **scope, reason="drill")
    assert [await lives(world, one) for one in sessions] == left
    assert (done["sessions_ended"], done["complete"]) == (left.count(False), True)
    async with world.env.store.transaction(TENANT) as tx:
        last = (await tx.records(limit=1_000))[-1].event
    assert (last.actor_name, last.detail["reason"]) == ("operator", "drill")


async def test_only_who_may_read_accounts_lists_them(world: World) -> None:
    monitor = (await log_in(world, "monitor", "Monitor_1234")).caller
    with pytest.raises(Denied):
        await accounts(world.env, monitor, "", 100)
