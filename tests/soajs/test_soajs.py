"""What conversations cannot show: what is stored, what is not, and how failures are told."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from lastcall.dialects.soajs import SOAJS
from lastcall.dialects.soajs.envelope import refuse
from lastcall.dialects.soajs.handles import sid_of
from lastcall.domain.attempts import Limit
from lastcall.domain.errors import (
    AuthorityError,
    BadCredentials,
    Busy,
    Conflict,
    Denied,
    Invalid,
    LockedOut,
    NotAuthenticated,
    NotFound,
    SecondFactorRequired,
    StoreUnavailable,
    Superseded,
)
from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.session import End
from lastcall.domain.token import hash_token
from lastcall.domain.types import (
    MINUTE,
    DialectName,
    EndReason,
    Instant,
    Serial,
    SessionId,
    TenantId,
    TokenHash,
)
from lastcall.ports import Found
from lastcall.stores.memory import MemoryStore
from lastcall.wire import Reply, Trail
from tests.fakes import EPOCH
from tests.soajs.settings import KEY, SETTINGS, settings
from tests.world import OTHER, TENANT, World, make_world

FORM = {"key": KEY, "content-type": "application/x-www-form-urlencoded"}


class WatchedStore(MemoryStore):
    """Counts what could write, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions = 0
        self.touches = 0
        self.down = False
        self.after_find: Callable[[Found], Awaitable[None]] | None = None

    def transaction(self, tenant: TenantId) -> Any:
        self.transactions += 1
        if self.down:
            raise StoreUnavailable("down")
        return super().transaction(tenant)

    async def find(self, token: TokenHash) -> Found | None:
        found = await super().find(token)
        if found is not None and self.after_find is not None:
            await self.after_find(found)
        return found

    def touch(self, found: Found, at: Instant) -> None:
        self.touches += 1
        super().touch(found, at)


async def ask(world: World, method: str, target: str, **more: Any) -> Reply:
    return await world.ask(SOAJS, method, target, **{"settings": SETTINGS, **more})


def said(reply: Reply) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(reply.body)
    return body


async def log_in(world: World, name: str = "john", password: str = "johnpassword") -> str:
    body = f"username={name}&password={password}".encode()
    reply = await ask(world, "POST", "/urac/login", headers=FORM, body=body)
    assert said(reply)["result"] is True
    return str(said(reply)["soajsauth"])


async def tokens(world: World, name: str, password: str) -> dict[str, Any]:
    basic = said(await ask(world, "GET", f"/oauth/authorization?key={KEY}"))["data"]
    reply = await ask(
        world,
        "POST",
        "/oauth/token",
        headers={**FORM, "authorization": basic},
        body=f"grant_type=password&username={name}&password={password}".encode(),
    )
    return said(reply)


async def contents(world: World) -> list[tuple[Serial, int, int]]:
    """Serials handed out, audit records and live rows, tenant by tenant."""
    found = []
    for tenant in (TENANT, OTHER):
        async with world.env.store.transaction(tenant) as tx:
            found.append((await tx.serial(), len(await tx.records(limit=10_000))))
    live = await world.env.store.live_sessions()
    return [(*pair, live) for pair in found]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"soajsauth": "garbage"},
        {"soajsauth": "Basic %zz"},
        {"soajsauth": "Basic c29hanM6QzAyMzcybVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U="},
        {"cookie": "soajsID=s%3Anobody.nothing"},
        {"cookie": "soajsID="},
    ],
)
async def test_a_logout_of_nobody_stores_nothing(headers: dict[str, str]) -> None:
    store = WatchedStore()
    world = await make_world(store)
    before = await contents(world)
    store.transactions = 0
    handles = set()
    for _ in range(5):
        reply = await ask(world, "GET", "/urac/logout", headers={"key": KEY, **headers})
        assert said(reply)["data"] is True
        handles.add(said(reply)["soajsauth"])
    assert len(handles) == 5, "nothing is remembered, so nothing can be given again"
    assert (store.transactions, store.touches) == (0, 0)
    assert await contents(world) == before


async def test_the_handle_of_a_logout_is_nobodys() -> None:
    world = await make_world()
    handle = await log_in(world)
    reply = await ask(world, "GET", "/urac/logout", headers={"key": KEY, "soajsauth": handle})
    assert said(reply)["data"]["username"] == "john"
    assert sid_of(said(reply)["soajsauth"]) != sid_of(handle)
    for dead in (handle, said(reply)["soajsauth"]):
        reply = await ask(
            world,
            "GET",
            "/urac/account/getUser?username=john",
            headers={"key": KEY, "soajsauth": dead},
        )
        assert said(reply)["errors"]["codes"] == [161]


async def test_the_body_and_the_header_say_the_same_handle() -> None:
    world = await make_world()
    for target in ("/urac/logout", "/urac/nothing"):
        reply = await ask(world, "GET", target, headers={"key": KEY})
        assert dict(reply.headers)["soajsauth"] == said(reply)["soajsauth"]


async def test_a_login_never_adopts_what_it_is_given() -> None:
    """Session fixation: neither an invented nor an anonymous session id becomes a login's."""
    world = await make_world()
    anonymous = said(await ask(world, "GET", "/urac/logout", headers={"key": KEY}))["soajsauth"]
    reply = await ask(
        world,
        "POST",
        "/urac/login",
        headers={**FORM, "soajsauth": anonymous},
        body=b"username=john&password=johnpassword",
    )
    assert sid_of(said(reply)["soajsauth"]) not in (None, sid_of(anonymous))


async def test_only_what_a_failed_store_kept_is_claimed() -> None:
    store = WatchedStore()
    world = await make_world(store)
    handle = await log_in(world)
    store.down = True
    reply = await ask(world, "GET", "/urac/logout", headers={"key": KEY, "soajsauth": handle})
    assert (reply.status, said(reply)["errors"]["codes"]) == (500, [163])
    body = b"username=john&password=johnpassword"
    reply = await ask(world, "POST", "/urac/login", headers=FORM, body=body)
    assert (reply.status, said(reply)["errors"]["codes"]) == (500, [163])
    store.down = False
    reply = await ask(world, "GET", "/urac/logout", headers={"key": KEY, "soajsauth": handle})
    assert said(reply)["data"]["username"] == "john"


async def test_a_logout_that_another_one_overtook_is_nobodys() -> None:
    """The session ends between the check of its token and the call's own commit."""
    store = WatchedStore()
    world = await make_world(store)
    handle = await log_in(world)
    granted = await tokens(world, "john", "johnpassword")

    async def overtake(found: Found) -> None:
        async with store.transaction(TENANT) as tx:
            await tx.end_session(found.session.id, End(at=EPOCH, why=EndReason.LOGOUT))

    store.after_find = overtake
    reply = await ask(world, "GET", "/urac/logout", headers={"key": KEY, "soajsauth": handle})
    assert said(reply)["data"] is True
    target = f"/oauth/accessToken/{granted['access_token']}"
    bearer = {"key": KEY, "authorization": f"Bearer {granted['access_token']}"}
    reply = await ask(world, "DELETE", target, headers=bearer)
    assert said(reply)["errors"]["codes"] == [401]


async def test_one_audit_record_for_a_logout_and_none_with_a_handle_in_it() -> None:
    world = await make_world()
    handle = await log_in(world)
    await ask(world, "GET", "/urac/logout", headers={"key": KEY, "soajsauth": handle})
    async with world.env.store.transaction(TENANT) as tx:
        records = [record.event for record in await tx.records()]
    assert [event.action for event in records] == ["login", "logout"]
    assert str(sid_of(handle)) not in repr(records)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AuthorityError(), 500, 150),
        (StoreUnavailable(), 500, 163),
        (Conflict(), 500, 162),
        (Superseded(), 500, 162),
        (NotAuthenticated(), 500, 161),
        (Invalid("body", "is odd"), 500, 164),
        (Busy(), 200, 134),
        (NotFound(), 200, 405),
        (Denied(), 200, 405),
        (BadCredentials(), 200, 400),
        (LockedOut("x", retry_after=MINUTE, by="subject"), 200, 400),
        (SecondFactorRequired("totp", ("totp",)), 200, 400),
    ],
)
async def test_every_refusal_has_a_code(error: AuthorityError, status: int, code: int) -> None:
    world = await make_world()
    call = world.call(SOAJS, "GET", "/urac/logout", settings=SETTINGS)
    reply = refuse(call, error, "Basic handle")
    assert (reply.status, said(reply)["errors"]["codes"]) == (status, [code])
    assert ("soajsauth" in said(reply)) is (status == 200 and code != 134)
    waits = [value for name, value in reply.headers if name == "Retry-After"]
    assert waits == {134: ["1"]}.get(code, ["60"] if isinstance(error, LockedOut) else [])


async def test_a_locked_out_name_is_told_apart_by_the_wait_alone() -> None:
    limit = Limit(tries=2, window=MINUTE, lockout=MINUTE)
    world = await make_world(policy=Policy(subject_lockout=limit))
    replies = [
        await ask(
            world,
            "POST",
            "/urac/login",
            headers=FORM,
            body=f"username=john&password={word}".encode(),
        )
        for word in ("wrong", "wrong", "johnpassword")
    ]
    assert [said(reply)["errors"]["codes"] for reply in replies] == [[400]] * 3
    assert ("Retry-After", "60") in replies[2].headers
    basic = said(await ask(world, "GET", f"/oauth/authorization?key={KEY}"))["data"]
    reply = await ask(
        world,
        "POST",
        "/oauth/token",
        headers={**FORM, "authorization": basic},
        body=b"grant_type=password&username=john&password=johnpassword",
    )
    assert (reply.status, said(reply)["errors"]["codes"]) == (500, [503])
    assert ("Retry-After", "60") in reply.headers


async def test_a_full_house_refuses_and_a_login_over_ones_own_makes_its_own_room() -> None:
    world = await make_world(policy=Policy(sessions_per_subject=1, when_full=WhenFull.REFUSE))
    handle = await log_in(world)
    body = b"username=john&password=johnpassword"
    reply = await ask(world, "POST", "/urac/login", headers=FORM, body=body)
    assert (reply.status, said(reply)["errors"]["codes"]) == (500, [162])
    headers = {**FORM, "soajsauth": handle}
    reply = await ask(world, "POST", "/urac/login", headers=headers, body=body)
    assert said(reply)["result"] is True
    assert await world.env.store.live_sessions() == 1


async def test_the_two_kinds_of_login_do_not_pass_for_one_another() -> None:
    world = await make_world()
    sid = str(sid_of(await log_in(world)))
    granted = await tokens(world, "john", "johnpassword")
    reply = await ask(world, "DELETE", f"/oauth/accessToken/x?key={KEY}&access_token={sid}")
    assert said(reply)["errors"]["codes"] == [401]
    bearer = {"key": KEY, "authorization": f"Bearer {granted['access_token']}"}
    reply = await ask(world, "DELETE", f"/oauth/accessToken/{sid}", headers=bearer)
    assert said(reply)["data"] == {"ok": 1, "n": 0}
    for kind, text in (("accessToken", "refresh_token"), ("refreshToken", "access_token")):
        reply = await ask(world, "DELETE", f"/oauth/{kind}/{granted[text]}", headers=bearer)
        assert said(reply)["data"] == {"ok": 1, "n": 0}, "each half has its own call"


@pytest.mark.parametrize("how", ["own", "everywhere"])
async def test_reach(how: str) -> None:
    world = await make_world()
    granted = await tokens(world, "john", "johnpassword")
    from_elsewhere = replace_dialect(world, granted["access_token"])
    john = said(
        await ask(
            world, "POST", "/urac/login", headers=FORM, body=b"username=john&password=johnpassword"
        )
    )["data"]["_id"]
    other = await from_elsewhere()
    await ended_there(world, f"/oauth/tokens/user/{john}", how, other)


async def ended_there(world: World, path: str, how: str, other: SessionId) -> None:
    """John's tokens go in any case, those of another wire where the settings reach them."""
    admin = await tokens(world, "admin", "Admin_1234")
    reply = await ask(
        world,
        "DELETE",
        f"{path}?key={KEY}&access_token={admin['access_token']}",
        settings=settings(reach=how),
    )
    async with world.env.store.transaction(TENANT) as tx:
        row = await tx.session(other)
    assert row is not None
    assert (row.ended is not None) is (how == "everywhere")
    assert said(reply)["data"]["n"] == (3 if how == "everywhere" else 2)


def replace_dialect(world: World, token: str) -> Callable[[], Awaitable[SessionId]]:
    """A session like this token's, begun at another wire."""

    async def add() -> SessionId:
        async with world.env.store.transaction(TENANT) as tx:
            row = await tx.session_with_token(hash_token(token))
            assert row is not None
            other = replace(
                row,
                id=SessionId("of-another-wire"),
                dialect=DialectName("elvis"),
                token_hash=hash_token("another"),
                refresh_hash=None,
                serial=await tx.next_serial(),
            )
            await tx.add_session(other)
        return other.id

    return add


@pytest.mark.parametrize("how", ["own", "everywhere"])
async def test_everybodys_tokens(how: str) -> None:
    world = await make_world()
    granted = await tokens(world, "john", "johnpassword")
    other = await replace_dialect(world, granted["access_token"])()
    tenant = SETTINGS.tenants["default"].id
    await ended_there(world, f"/oauth/tokens/tenant/{tenant}", how, other)


async def test_where_others_need_a_second_factor_this_wire_ends_none() -> None:
    world = await make_world(policy=Policy(second_factor_for_others=True))
    john = await tokens(world, "john", "johnpassword")
    admin = await tokens(world, "admin", "Admin_1234")
    reply = await ask(
        world,
        "DELETE",
        f"/oauth/accessToken/{john['access_token']}?key={KEY}&access_token={admin['access_token']}",
    )
    assert said(reply)["data"] == {"ok": 1, "n": 0}
    assert await world.env.store.live_sessions() == 2


async def test_a_key_of_a_tenant_that_is_not_there() -> None:
    world = await make_world()
    elsewhere = settings(tenants={"nowhere": {"id": "0" * 24, "code": "NONE", "keys": [KEY]}})
    reply = await ask(world, "GET", "/urac/logout", headers={"key": KEY}, settings=elsewhere)
    assert said(reply)["errors"]["codes"] == [153]


async def test_a_host_of_one_tenant_takes_no_key_of_another() -> None:
    world = await make_world()
    for tenant, codes in ((TENANT, []), (OTHER, [153])):
        call = world.call(
            SOAJS,
            "GET",
            "/urac/logout",
            headers={"key": KEY},
            settings=SETTINGS,
            tenant=tenant,
        )
        reply = await SOAJS.answer(call.with_(tenant_by_host=True))
        assert said(reply).get("errors", {"codes": []})["codes"] == codes


async def test_the_trail_tells_the_route_and_the_refusal() -> None:
    world = await make_world()
    secret = "0123456789012345678901234567890123456789"
    call = world.call(
        SOAJS,
        "DELETE",
        f"/oauth/accessToken/{secret}?access_token={secret}",
        headers={"key": KEY},
        settings=SETTINGS,
    ).with_(trail=Trail())
    await SOAJS.answer(call)
    assert call.trail.route == "/oauth/accessToken/{token}"
    assert isinstance(call.trail.refused, NotAuthenticated)
    assert secret not in repr(call.trail)
    body = b"username=john&password=wrong"
    call = world.call(SOAJS, "POST", "/urac/login", headers=FORM, body=body, settings=SETTINGS)
    await SOAJS.answer(call)
    assert isinstance(call.trail.refused, BadCredentials)


@pytest.mark.parametrize(
    "body",
    [
        b'{"username": "\\ud800", "password": "x"}',
        b'{"username": "' + b"a" * 100_000 + b'", "password": "x"}',
        b"[" * 5_000,
        b'{"username": "john", "password": "\\u0000"}',
        b"\xff\xfe",
        b'{"username": "john", "username": "admin", "password": "x", "__proto__": {}}',
    ],
)
async def test_no_body_breaks_the_login(body: bytes) -> None:
    world = await make_world()
    headers = {"key": KEY, "content-type": "application/json"}
    reply = await ask(world, "POST", "/urac/login", headers=headers, body=body)
    assert said(reply)["errors"]["codes"] in ([400], [164])


async def test_a_session_that_goes_unused_ends_if_it_is_set_to() -> None:
    world = await make_world()
    handle = await log_in(world)
    strict = settings(idle_seconds=60)
    body = b"username=john&password=johnpassword"
    reply = await ask(world, "POST", "/urac/login", headers=FORM, body=body, settings=strict)
    handle = said(reply)["soajsauth"]
    world.clock.advance(60_000)
    reply = await ask(world, "GET", "/urac/logout", headers={"key": KEY, "soajsauth": handle})
    assert said(reply)["data"] is True
