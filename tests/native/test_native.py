"""What the native API does beyond single conversations."""

import re
from dataclasses import replace

import pytest

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import Start, login
from lastcall.dialects import DIALECTS
from lastcall.dialects.native import Service, Settings
from lastcall.domain.errors import Busy, StoreUnavailable
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.session import Lifetime
from lastcall.domain.types import DialectName, Duration, Kind, TokenHash
from lastcall.ports import Found
from lastcall.stores.memory import MemoryStore
from tests.fakes import FakePasswords
from tests.native.client import Client, code, content
from tests.world import OTHER, TENANT, World, make_world, subject

LONG = Duration(3_600_000)


async def client(policy: Policy | None = None, **settings: object) -> Client:
    return Client(await make_world(policy=policy), Settings(**settings))  # type: ignore[arg-type]  # each test gives what exists


async def test_guessing_locks_out_and_a_lock_out_says_how_long() -> None:
    api = await client()
    for left in range(9, -1, -1):
        reply = await api.ask("POST", "/v1/login", {"username": "monitor", "password": "x"})
        assert content(reply)["attempts_left"] == left
    reply = await api.ask("POST", "/v1/login", {"username": "monitor", "password": "Monitor_1234"})
    assert (reply.status, code(reply)) == (429, "locked-out")
    assert content(reply)["retry_after"] == 300
    assert dict(reply.headers)["Retry-After"] == "300"


async def test_a_tenant_the_settings_do_not_name_is_guessed_at_in_vain() -> None:
    """Not even the count of attempts of somebody there is touched."""
    api = await client()
    guess = {"username": "stranger", "password": "x", "tenant": "other"}
    for _ in range(12):
        last = await api.ask("POST", "/v1/login", guess)
    assert last.status == 429
    there = Client(api.world, Settings(), tenant=OTHER, address="192.0.2.1")
    assert await there.log_in("stranger")


async def test_a_host_has_one_tenant_whatever_the_body_says() -> None:
    world = await make_world()
    settings = Settings(more_tenants=("other",))
    api = Client(world, settings)
    here = Client(world, settings, by_host=True)
    foreign = await api.log_in("stranger", tenant="other")
    asked = {"username": "stranger", "password": "Stranger_1234", "tenant": "other"}
    assert code(await here.ask("POST", "/v1/login", asked)) == "bad-credentials"
    assert (await api.ask("GET", "/v1/check", token=foreign)).status == 204
    assert code(await here.ask("GET", "/v1/check", token=foreign)) == "not-authenticated"
    assert await here.log_in("monitor", tenant="default")


async def test_a_cap_that_refuses_is_a_conflict() -> None:
    api = await client(Policy(sessions_per_subject=1, when_full=WhenFull.REFUSE))
    await api.log_in("monitor")
    reply = await api.ask("POST", "/v1/login", {"username": "monitor", "password": "Monitor_1234"})
    assert code(reply) == "conflict"


class Swamped(FakePasswords):
    async def verify(self, encoded: str, digest: str) -> bool:
        raise Busy("too many")


async def test_too_many_logins_at_once_are_told_to_wait() -> None:
    world = await make_world()
    world.env = replace(world.env, passwords=Swamped())
    reply = await Client(world, Settings()).ask(
        "POST", "/v1/login", {"username": "monitor", "password": "Monitor_1234"}
    )
    assert (code(reply), content(reply)["retry_after"]) == ("busy", 1)


class Gone(MemoryStore):
    async def find(self, token: TokenHash) -> Found | None:
        raise StoreUnavailable("gone")


async def test_a_store_that_is_gone_is_not_a_token_that_is_bad() -> None:
    reply = await Client(await make_world(Gone()), Settings()).ask("GET", "/v1/check", token="x")
    assert (reply.status, code(reply)) == (503, "store-unavailable")


async def session_at(world: World, dialect: str) -> str:
    """A session begun at another wire, and its token."""
    origin = Origin(dialect=DialectName(dialect), address="192.0.2.1")
    given = Credentials(name="monitor", password="Monitor_1234")
    proven = await prove(world.env, TENANT, origin, given)
    start = Start(
        kind=Kind.API,
        lifetime=Lifetime(idle=None, absolute=LONG),
        mint=lambda entropy, _id, _at: entropy.bytes(20).hex(),
    )
    return (await login(world.env, origin, proven, start)).token


@pytest.mark.parametrize("dialect", [one.name for one in DIALECTS if one.name != "native"])
async def test_a_proxy_may_check_every_dialects_tokens_and_nothing_more(dialect: str) -> None:
    api = await client()
    token = await session_at(api.world, dialect)
    reply = await api.ask("GET", "/v1/check", token=token)
    assert (reply.status, dict(reply.headers)["X-Lastcall-Dialect"]) == (204, dialect)
    for path in ("/v1/session", "/v1/me", "/v1/sessions"):
        assert code(await api.ask("GET", path, token=token)) == "not-authenticated"
    for path in ("/v1/logout", "/v1/step-up", "/v1/password"):
        assert code(await api.ask("POST", path, token=token)) == "not-authenticated"
    cookie = f"__Host-lastcall={token}"
    assert code(await api.ask("GET", "/v1/check", Cookie=cookie)) == "not-authenticated"


@pytest.mark.parametrize(
    ("username", "shown"),
    [
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil%3A%201"),
        ("Zoë, admin", "Zo%C3%AB%2C%20admin"),
        ("50%;\x00\x1b", "50%25%3B%00%1B"),
        ("john@domain.com", "john%40domain.com"),
    ],
)
async def test_no_name_can_become_a_header(username: str, shown: str) -> None:
    api = await client()
    async with api.world.env.store.transaction(TENANT) as tx:
        await tx.add_subject(subject(username, "Some_1234"))
    body = {"username": username, "password": "Some_1234"}
    token = content(await api.ask("POST", "/v1/login", body))["token"]
    reply = await api.ask("GET", "/v1/check", token=token)
    assert dict(reply.headers)["X-Lastcall-Username"] == shown
    assert all(re.fullmatch(r"[!-~]+", value) for _, value in reply.headers)


async def test_guessing_a_services_secret_is_slowed_down() -> None:
    api = await client(services={"wiki": Service(secret="x" * 20)})

    async def introspect(secret: str) -> int:
        reply = await api.ask(
            "POST",
            "/v1/introspect",
            Authorization=f"Bearer {secret}",
            Content_Type="application/x-www-form-urlencoded",
        )
        return reply.status

    assert [await introspect("wrong") for _ in range(31)] == [401] * 30 + [429]
    assert await introspect("x" * 20) == 400, "the right secret is never locked out"


async def test_a_service_is_its_name_and_its_secret() -> None:
    for wrong in ({}, {"secret": "short"}, {"secret_sha256": "zz"}, {"secret": "x", "tenant": "y"}):
        with pytest.raises(ValueError, match="secret"):
            Service(**wrong)
    assert "x" * 20 not in repr(Service(secret="x" * 20))


async def test_ending_others_sessions_needs_a_fresh_factor_where_the_tenant_says_so() -> None:
    api = await client(Policy(second_factor_for_others=True))
    monitor = await api.log_in("monitor")
    admin = await api.log_in("admin")
    body = {"scope": {"kind": "subject", "subject": "u-monitor"}}
    reply = await api.ask("POST", "/v1/logout", body, token=admin)
    assert code(reply) == "second-factor-required"
    assert content(reply)["method"] == "password"
    assert (await api.ask("GET", "/v1/check", token=monitor)).status == 204
    stepped = await api.ask("POST", "/v1/step-up", {"password": "Admin_1234"}, token=admin)
    newer = content(stepped)["token"]
    assert (await api.ask("POST", "/v1/logout", body, token=newer)).status == 200
    assert (await api.ask("GET", "/v1/check", token=monitor)).status == 401


async def test_an_offered_token_is_never_adopted() -> None:
    """Fixation: whatever comes with a login, the session gets a token of its own."""
    api = await client()
    victim = await api.log_in("monitor")
    for headers in (
        {"Authorization": f"Bearer {victim}"},
        {"Cookie": f"__Host-lastcall={victim}"},
        {"Authorization": "Bearer"},
    ):
        for cookie in (False, True):
            body = {"username": "monitor", "password": "Monitor_1234", "cookie": cookie}
            reply = await api.ask("POST", "/v1/login", body, **headers)
            assert reply.status == 200
            assert victim not in reply.body.decode() + str(reply.headers)


async def test_what_was_sent_is_not_said_back() -> None:
    api = await client()
    canary = "canary canary"
    for body in (
        {canary: 1},
        {"username": {canary: 1}, "password": "x"},
        {"username": canary * 100, "password": "x"},
        {"username": "x", "password": "x", "method": canary},
        [canary],
        canary,
    ):
        reply = await api.ask("POST", "/v1/login", body)
        assert code(reply) == "invalid"
        assert "canary" not in reply.body.decode()
    token = await api.log_in("admin")
    for query in ("canary%20canary=1", "limit=canary", "kind=canary", "live=canary", "%ff=1"):
        reply = await api.ask("GET", f"/v1/sessions?{query}", token=token)
        assert code(reply) == "invalid"
        assert "canary" not in reply.body.decode()


async def test_a_refused_change_by_cookie_is_on_record() -> None:
    api = await client()
    body = {"username": "monitor", "password": "Monitor_1234", "cookie": True}
    reply = await api.ask("POST", "/v1/login", body)
    cookie = dict(reply.headers)["Set-Cookie"].partition(";")[0]
    for path in ("/v1/logout", "/v1/step-up", "/v1/password"):
        assert code(await api.ask("POST", path, Cookie=cookie)) == "csrf"
    async with api.world.env.store.transaction(TENANT) as tx:
        events = [record.event for record in await tx.records()]
    assert [(one.action, one.code) for one in events if one.outcome == "refused"] == [
        ("logout", "csrf"),
        ("step-up", "csrf"),
        ("subject-changed", "csrf"),
    ]
