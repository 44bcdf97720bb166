"""What a logout leaves behind, also when something fails in between."""

import json
from collections.abc import Mapping

import pytest

from lastcall.dialects.elvis import ELVIS
from lastcall.domain.audit import Action, Outcome
from lastcall.domain.errors import AuthorityError, StoreUnavailable
from lastcall.domain.session import End
from lastcall.domain.types import EndReason, TokenHash
from lastcall.ports import Found
from lastcall.stores.memory import MemoryStore
from lastcall.wire import Reply
from tests.fakes import EPOCH
from tests.world import TENANT, World, make_world

JOHN = "username=john&password=johnpassword"


class BlindStore(MemoryStore):
    """A store whose look-ups fail once it is blind."""

    blind = False

    async def find(self, token: TokenHash) -> Found | None:
        if self.blind:
            raise StoreUnavailable("blind")
        return await super().find(token)


class OvertakingStore(MemoryStore):
    """A store where another request ends whatever session was just looked up."""

    overtakes = False

    async def find(self, token: TokenHash) -> Found | None:
        found = await super().find(token)
        if found and self.overtakes:
            async with self.transaction(found.session.tenant) as tx:
                await tx.end_session(found.session.id, End(at=EPOCH, why=EndReason.LOGOUT))
        return found


def header(reply: Reply, name: str) -> str | None:
    return dict(reply.headers).get(name)


def cookie_of(reply: Reply) -> str:
    return (header(reply, "Set-Cookie") or "").partition(";")[0]


async def logged_in(world: World) -> dict[str, str]:
    """The headers a browser sends from then on."""
    reply = await world.ask(ELVIS, "POST", f"/services/login?{JOHN}")
    return {"Cookie": cookie_of(reply), "X-CSRF-TOKEN": json.loads(reply.body)["csrfToken"]}


async def bearer(world: World) -> str:
    reply = await world.ask(ELVIS, "POST", f"/services/apilogin?{JOHN}")
    return f"Bearer {json.loads(reply.body)['authToken']}"


async def status(world: World, headers: Mapping[str, str]) -> int:
    return (await world.ask(ELVIS, "GET", "/services/profile", headers=headers)).status


async def outcomes(world: World) -> list[tuple[Action, Outcome, str]]:
    async with world.env.store.transaction(TENANT) as tx:
        records = await tx.records()
    return [(one.event.action, one.event.outcome, one.event.code) for one in records]


async def test_a_refused_logout_is_recorded_once() -> None:
    world = await make_world()
    headers = await logged_in(world)
    wrong = {**headers, "X-CSRF-TOKEN": "x"}
    before = await outcomes(world)
    assert (await world.ask(ELVIS, "POST", "/services/logout", headers=wrong)).status == 403
    assert (await outcomes(world))[len(before) :] == [(Action.LOGOUT, Outcome.REFUSED, "denied")]
    assert await status(world, headers) == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/services/logout"), ("GET", "/logout")])
async def test_a_logout_is_recorded_once(method: str, path: str) -> None:
    world = await make_world()
    headers = await logged_in(world)
    before = await outcomes(world)
    await world.ask(ELVIS, method, path, headers=headers)
    await world.ask(ELVIS, method, path, headers=headers)
    assert (await outcomes(world))[len(before) :] == [(Action.LOGOUT, Outcome.DONE, "")]


async def test_only_the_presented_session_ends() -> None:
    world = await make_world()
    one, two = await logged_in(world), await logged_in(world)
    await world.ask(ELVIS, "POST", "/services/logout", headers=one)
    assert (await status(world, one), await status(world, two)) == (401, 200)


async def test_the_redirect_ends_the_bearers_session_and_the_cookies() -> None:
    world = await make_world()
    browser, api = await logged_in(world), {"Authorization": await bearer(world)}
    reply = await world.ask(ELVIS, "GET", "/logout", headers={**browser, **api})
    assert reply.status == 302
    assert (await status(world, browser), await status(world, api)) == (401, 401)


async def test_a_bearers_logout_leaves_the_browsers_session_and_cookie_alone() -> None:
    world = await make_world()
    browser, api = await logged_in(world), {"Authorization": await bearer(world)}
    both = {"Cookie": browser["Cookie"], **api}
    reply = await world.ask(ELVIS, "POST", "/services/logout", headers=both)
    assert (reply.status, header(reply, "Set-Cookie")) == (200, None)
    assert (await status(world, browser), await status(world, api)) == (200, 401)


async def test_a_logout_that_cannot_be_recorded_is_not_claimed() -> None:
    store = BlindStore()
    world = await make_world(store)
    headers = await logged_in(world)
    store.blind = True
    page = await world.ask(ELVIS, "GET", "/logout?logoutSuccessUrl=/app", headers=headers)
    assert (page.status, header(page, "Set-Cookie"), header(page, "Location")) == (503, None, None)
    assert b"may still be logged in" in page.body
    reply = await world.ask(ELVIS, "POST", "/services/logout", headers=headers)
    assert (reply.status, header(reply, "Set-Cookie")) == (503, None)
    assert json.loads(reply.body)["errorcode"] == 503
    store.blind = False
    assert await status(world, headers) == 200


async def test_a_logout_that_is_overtaken_by_another_leads_on() -> None:
    store = OvertakingStore()
    world = await make_world(store)
    headers = await logged_in(world)
    store.overtakes = True
    reply = await world.ask(ELVIS, "GET", "/logout", headers=headers)
    assert (reply.status, header(reply, "Location")) == (302, "/app")
    assert cookie_of(reply) == "authToken="


async def test_a_bad_bearer_costs_nobody_a_good_cookie() -> None:
    world = await make_world()
    headers = {**await logged_in(world), "Authorization": "Bearer unknown"}
    reply = await world.ask(ELVIS, "POST", "/services/logout", headers=headers)
    assert (reply.status, header(reply, "Set-Cookie")) == (401, None)


async def test_the_cookie_is_for_tls_alone_where_there_is_tls() -> None:
    world = await make_world()
    for change in ({"scheme": "https"}, {"public_url": "https://dam.example.com"}):
        call = world.call(ELVIS, "POST", f"/services/login?{JOHN}").with_(**change)
        cookie = header(await ELVIS.answer(call), "Set-Cookie") or ""
        assert cookie.endswith(";Path=/;HttpOnly;SameSite=Lax;Secure")


async def test_no_token_of_another_dialect_counts() -> None:
    world = await make_world()
    headers = await logged_in(world)
    token = headers["Cookie"].partition("=")[2]
    call = world.call(ELVIS, "GET", "/services/profile", {"Authorization": f"Bearer {token}"})
    assert (await ELVIS.answer(call)).status == 200
    stranger = call.with_(dialect=type(call.dialect)("rsa"))
    assert (await ELVIS.answer(stranger)).status == 401


async def test_a_login_never_takes_over_the_token_it_was_offered() -> None:
    world = await make_world()
    planted = {"Cookie": f"authToken={'A' * 43}", "Authorization": f"Bearer {'A' * 43}"}
    reply = await world.ask(ELVIS, "POST", f"/services/login?{JOHN}", headers=planted)
    assert cookie_of(reply) not in ("", f"authToken={'A' * 43}")
    assert await status(world, planted) == 401


@pytest.mark.parametrize("path", ["/services/login", "/services/logout", "/logout", "/app"])
async def test_a_failure_nobody_foresaw_says_nothing_of_itself(path: str) -> None:
    world = await make_world()
    reply = ELVIS.decline(world.call(ELVIS, "POST", path), AuthorityError("secret detail"))
    assert reply.status in (500, 503)
    assert b"secret" not in reply.body
