"""Section C: names that trick, fields that were not asked for, methods and paths that sneak."""

import json
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from lastcall.authority.logout import logout
from lastcall.domain.access import operator
from lastcall.domain.audit import Event
from lastcall.domain.logout import OfTenant
from tests.access.driving import (
    ANYWHERE,
    BY_NAME,
    PASSWORD,
    Ask,
    Held,
    Wire,
    alive,
    as_json,
    audited,
    caller_of,
    changed,
    make_crowd,
    named,
    peer,
)
from tests.access.endings import ENDINGS, Ending, Target
from tests.access.wires import MULTITECH, NATIVE, ROCKETCHAT, WIRES, rocketchat
from tests.world import TENANT, World

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES, ids=named)
ADMIN = peer("admin-a")

ODD_NAMES = (
    "",
    " ",
    "*",
    "%",
    ".*",
    "monitor-*",
    "monitor-b,monitor-a",
    "monitor-b monitor-a",
    "monitor-b\x00",
    "monitor-b\n",
    "MONITOR-B",
    "\uff4donitor-b",  # a fullwidth m
    "monitor-b' OR '1'='1",
    '{"$ne": null}',
    "../monitor-b",
    "u-monitor-b",
    "monitor-b@example.com",
    "\u202emonitor-b",
    "m" * 10_000,
)


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: repr(name)[:24])
async def test_a_name_means_one_account_or_none(name: str) -> None:
    """C37: exactly, byte by byte; nothing is matched, joined, folded or trimmed."""
    world = await make_crowd()
    by = await MULTITECH.enter(world, ADMIN)
    others = [await MULTITECH.enter(world, peer(f"monitor-{which}")) for which in "ab"]
    query = urlencode({"logoutUser": name, "token": by.token})
    answer = await MULTITECH.send(world, Ask("GET", f"/api/logout?{query}"))
    assert answer.reply.status in (400, 404), answer
    assert all([await alive(world, held) for held in (by, *others)])


@pytest.mark.parametrize(
    "body",
    [
        {"logoutUser": ["monitor-b"]},
        {"logoutUser": {"name": "monitor-b"}},
        {"logoutUser": True},
        {"logoutUser": 0},
        {"logoutUser": None},
        ["logoutUser", "monitor-b"],
        "logoutUser",
    ],
    ids=repr,
)
async def test_only_text_is_a_name(body: object) -> None:
    """C37: and what is no name never turns a logout of somebody into one of oneself."""
    world = await make_crowd()
    by = await MULTITECH.enter(world, ADMIN)
    held = await MULTITECH.enter(world, peer("monitor-b"))
    ask = Ask("POST", f"/api/logout?token={by.token}", {}, json.dumps(body).encode())
    assert (await MULTITECH.send(world, ask)).reply.status == 400
    assert await alive(world, by)
    assert await alive(world, held)


@pytest.mark.parametrize("way", ENDINGS, ids=lambda way: way.name)
async def test_an_account_that_is_disabled_has_nothing_to_end(way: Ending) -> None:
    """C37: its sessions ended when it was; naming it again is no way in."""
    world = await make_crowd()
    by = await way.wire.enter(world, ADMIN)
    held = await way.wire.enter(world, peer("monitor-b"))
    await changed(world, held.who, enabled=False)
    await way.run(world, by, Target.of(held))
    assert not await alive(world, held)
    assert await alive(world, by)


async def test_the_id_must_fit_the_token() -> None:
    """C40: a good token under somebody else's user id is no token."""
    world = await make_crowd()
    mine = await ROCKETCHAT.enter(world, peer("monitor-a"))
    theirs = await ROCKETCHAT.enter(world, peer("monitor-b"))
    crossed = {**rocketchat(mine.shown), "X-User-Id": theirs.shown["user"]}
    for method, path in (("GET", "/api/v1/me"), ("POST", "/api/v1/logout")):
        assert (await ROCKETCHAT.send(world, Ask(method, path, crossed))).reply.status == 401
    assert await alive(world, mine)
    assert await alive(world, theirs)


async def test_what_is_ones_own_is_asked_of_the_session_not_of_the_request() -> None:
    """C40: `logout.me` and the list of one's own with the id of somebody else's session."""
    world = await make_crowd()
    mine = await ROCKETCHAT.enter(world, peer("monitor-a"))
    theirs = await ROCKETCHAT.enter(world, peer("monitor-b"))
    ask = as_json(
        "POST",
        "/api/v1/sessions/logout.me",
        {"sessionId": theirs.session},
        **rocketchat(mine.shown),
    )
    assert not (await ROCKETCHAT.send(world, ask)).granted
    for query in (f"userId={theirs.who.id}", f"filter={theirs.session}", "subject=u-monitor-b"):
        ask = Ask("GET", f"/api/v1/sessions/list?{query}", rocketchat(mine.shown))
        answer = await ROCKETCHAT.send(world, ask)
        assert theirs.session.encode() not in answer.reply.body
    assert await alive(world, theirs)


async def test_a_caller_within_the_scope_goes_with_it() -> None:
    """C43: the rest of the bulk is not spared for it, nor is the answer lost."""
    world = await make_crowd()
    by = await NATIVE.enter(world, ADMIN)
    others = [await NATIVE.enter(world, peer(f"monitor-{which}")) for which in "ab"]
    ask = as_json(
        "POST",
        "/v1/logout",
        {"scope": {"kind": "tenant"}},
        Authorization=f"Bearer {by.token}",
    )
    answer = await NATIVE.send(world, ask)
    assert answer.granted
    assert json.loads(answer.reply.body)["sessions_ended"] == 3
    assert not any([await alive(world, held) for held in (by, *others)])


@EVERY_WIRE
async def test_nobody_is_locked_out_by_a_logout_of_all(wire: Wire) -> None:
    """C45: the last administrator too can log in again at once."""
    world = await make_crowd()
    await wire.enter(world, ADMIN)
    await logout(world.env, operator(TENANT, ANYWHERE), OfTenant())
    assert (await wire.ask_who(world, await wire.enter(world, ADMIN))).granted


EXTRA = {
    "permission": "admin",
    "role": "admin",
    "roles": ["admin"],
    "level": 3,
    "userId": "u-admin-b",
    "_id": "u-admin-b",
    "subject": "u-admin-b",
    "tenant": "other",
    "revoked": False,
    "expires": 2**50,
    "expiresAt": "9999-12-31T23:59:59Z",
    "isAdmin": True,
    "__proto__": {"role": "admin"},
    "constructor": {"prototype": {"role": "admin"}},
}


@EVERY_WIRE
async def test_fields_that_were_not_asked_for_change_nothing(wire: Wire) -> None:
    """C46 (mass assignment): refused as a whole, or as good as not sent."""
    who = peer("monitor-a")
    for name, value in EXTRA.items():
        world = await make_crowd()
        ask = wire.login(who, PASSWORD)
        text = value if isinstance(value, str) else json.dumps(value)
        glue = "&" if "?" in ask.target else "?"
        target = f"{ask.target}{glue}{quote(name)}={quote(text)}"
        body = ask.body
        if body.startswith(b"{"):
            body = json.dumps({**json.loads(body), name: value}).encode()
        answer = await wire.send(world, replace(ask, target=target, body=body))
        shown = wire.learn(answer.reply) if answer.granted else {}
        if not shown:
            assert await world.env.store.live_sessions() == 0
            continue
        held = Held(wire=wire, who=who, token=shown["token"], session="", shown=shown)
        caller = await caller_of(world, held)
        plain = await caller_of(world, await wire.enter(world, who))
        assert (caller.subject, caller.tenant, caller.role) == (who.id, TENANT, plain.role)
        assert caller.session is not None
        assert plain.session is not None
        assert caller.session.expires == plain.session.expires


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "LOGOUT")


@EVERY_WIRE
async def test_only_a_routes_own_methods_do_anything(wire: Wire) -> None:
    """C48: every other method on the route of a logout is refused, and nothing ends."""
    world = await make_crowd()
    held = await wire.enter(world, peer("monitor-a"))
    ask = wire.logout(held.shown, held.who)
    path = ask.target.partition("?")[0]
    dialect = BY_NAME[wire.dialect]
    own = {
        method for route in dialect.routes if _fits(route.path, path) for method in route.allowed
    }
    assert ask.method in own
    for method in METHODS:
        if method not in own:
            answer = await wire.send(world, replace(ask, method=method))
            assert not answer.granted or method == "OPTIONS", (method, answer)
            assert await alive(world, held), method


def _fits(pattern: str, path: str) -> bool:
    head, brace, _ = pattern.partition("{")
    return path.startswith(head) if brace else pattern == path


@EVERY_WIRE
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_safe_method_cannot_be_made_an_unsafe_one(wire: Wire, method: str) -> None:
    """C48: by no header and no parameter, unless the wire has it from its vendor."""
    world = await make_crowd()
    held = await wire.enter(world, peer("monitor-a"))
    ask = wire.logout(held.shown, held.who)
    if ask.method == "GET":
        return
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        carried = {**ask.headers, name: ask.method}
        await wire.send(world, replace(ask, method=method, headers=carried))
    glue = "&" if "?" in ask.target else "?"
    for name in ("_method", "method", "X-HTTP-Method-Override"):
        target = f"{ask.target}{glue}{name}={ask.method}"
        await wire.send(world, replace(ask, method=method, target=target))
    if wire.dialect == "rocketchat" and method == "GET":
        return  # the vendor logs out on GET as well
    assert await alive(world, held)


def tricks(path: str) -> list[str]:
    head, _, last = path.rpartition("/")
    return [
        f"/{path}",
        f"{head}//{last}",
        f"{head}/./{last}",
        f"{head}/x/../{last}",
        f"{head}/x/%2e%2e/{last}",
        f"{head}%2F{last}",
        f"{path}/",
        f"{path}%2F",
        f"{path}.",
        f"{path}%20",
        f"{path}%00",
        f"{path};jsessionid=A",
        f"{path};/x",
        f"{path}.json",
        path.upper(),
        path.replace("o", "%6f"),
        f"{path}#x",
        f"{path}\\",
    ]


@EVERY_WIRE
async def test_a_path_in_disguise_is_the_route_or_no_route(wire: Wire) -> None:
    """C49: it never reaches past the checks: without a token nobody's session ends, and with one
    what is answered is what happened."""
    start = await make_crowd()
    shown = (await wire.enter(start, peer("monitor-a"))).shown
    path, mark, query = wire.logout(shown, peer("monitor-a")).target.partition("?")
    for trick in tricks(path):
        world = await make_crowd()
        held = await wire.enter(world, peer("monitor-a"))
        bystander = await wire.enter(world, peer("monitor-b"))
        ask = wire.logout(held.shown, held.who)
        bare = {name: text for name, text in ask.headers.items() if name == "key"}
        empty = wire.name.startswith("multitech") or mark == ""
        target = trick if empty else f"{trick}{mark}{query}"
        await wire.send(world, Ask(ask.method, target, bare))
        assert await alive(world, held), trick
        full = f"{trick}{mark}{ask.target.partition('?')[2]}"
        answer = await wire.send(world, replace(ask, target=full))
        if not answer.granted:
            assert await alive(world, held), trick
        assert await alive(world, bystander), trick


@pytest.mark.parametrize("way", ENDINGS, ids=lambda way: way.name)
async def test_a_refused_attempt_is_on_record_once(way: Ending) -> None:
    """C36: who, what and why not; once, however it was asked for."""
    world = await make_crowd()
    by = await way.wire.enter(world, peer("monitor-a"))
    held = await way.wire.enter(world, peer("admin-b"))
    before = await audited(world)
    await way.run(world, by, Target.of(held))
    assert await audited(world) == before + 1
    last = await last_event(world)
    assert last.code == "denied"
    assert last.actor == by.who.id


async def last_event(world: World) -> Event:
    async with world.env.store.transaction(TENANT) as tx:
        return (await tx.records(0, 10_000))[-1].event
