"""Section A: after a logout nothing that was handed out before it counts, anywhere.

A call that goes wrong inside raises here: nothing catches what is not a refusal.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import pytest

from lastcall.authority.logout import logout
from lastcall.authority.subjects import add_subjects, remove_subject
from lastcall.authority.sweep import sweep
from lastcall.domain.access import operator
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.token import hash_token
from lastcall.domain.types import DAY, DialectName, SessionId
from tests.access.driving import (
    ANYWHERE,
    BY_NAME,
    Ask,
    Held,
    Wire,
    alive,
    as_json,
    audited,
    changed,
    json_of,
    make_crowd,
    named,
    peer,
)
from tests.access.wires import NATIVE, OAUTH, SOAJS, WIRES
from tests.world import OTHER, TENANT, World

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES, ids=named)
WHO = peer("monitor-a")

Happening = Callable[[World, Held], Awaitable[object]]


def test_the_tests_know_every_wire() -> None:
    assert {wire.dialect for wire in WIRES} == set(BY_NAME)


def presented_elsewhere(held: Held) -> list[tuple[Wire, Ask]]:
    """The token, in every place where any wire looks for one."""
    token = held.token
    shown = dict.fromkeys(("token", "handle", "cookie", "csrf", "refresh"), token)
    shown = {**shown, "user": held.who.id, **held.shown}
    asks = [(wire, wire.check(shown, held.who)) for wire in WIRES]
    wild = {
        "Authorization": f"Bearer {token}",
        "X-Auth-Token": token,
        "X-User-Id": held.who.id,
        "key": f"key-of-{held.tenant}",
        "soajsauth": held.shown.get("handle", token),
        "Cookie": f"token={token}; authToken={token}; __Host-lastcall={token}; "
        f"soajsID={held.shown.get('cookie', token)}",
    }
    query = f"token={quote(token)}&access_token={quote(token)}"
    return asks + [
        (wire, Ask("GET", f"{ask.target}{'&' if '?' in ask.target else '?'}{query}", wild))
        for wire, ask in asks
        if wire.dialect != "native"
    ]


@EVERY_WIRE
async def test_a_dead_token_is_dead_on_every_wire(wire: Wire) -> None:
    """A1, A4, A13, A18: replayed everywhere; a second logout is harmless, and ends nothing."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    bystander = await wire.enter(world, peer("monitor-b"))
    assert (await wire.ask_who(world, held)).granted
    assert (await wire.leave(world, held)).granted
    assert not await alive(world, held)
    for other, ask in presented_elsewhere(held):
        answer = await other.send(world, ask)
        assert not answer.granted, (other.name, ask)
    await wire.leave(world, held)
    assert await alive(world, bystander)


@EVERY_WIRE
async def test_a_live_token_counts_on_its_own_wire_alone(wire: Wire) -> None:
    """A4: the same presentation while it lives, so that the test above means something."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    seen = set()
    for other, ask in presented_elsewhere(held):
        if (await other.send(world, ask)).granted:
            seen.add(other.dialect)
    assert seen == {wire.dialect}


async def test_a_check_for_a_proxy_sees_the_end_of_every_wires_sessions() -> None:
    """A4: `GET /v1/check` takes the tokens of all wires, and stops with the logout."""
    for wire in WIRES:
        world = await make_crowd()
        held = await wire.enter(world, WHO)
        ask = Ask("GET", "/v1/check", {"Authorization": f"Bearer {held.token}"})
        assert (await NATIVE.send(world, ask)).reply.status == 204, wire.name
        await wire.leave(world, held)
        assert (await NATIVE.send(world, ask)).reply.status == 401, wire.name


async def test_a_refresh_token_dies_with_its_session() -> None:
    """A5, A7: neither the newest nor an older refresh token brings it back."""
    world = await make_crowd()
    held = await OAUTH.enter(world, WHO)
    headers = {
        "key": "key-of-default",
        "Authorization": OAUTH.login(WHO, "").headers["Authorization"],
    }

    async def refreshed(token: str) -> Held | None:
        given = {"grant_type": "refresh_token", "refresh_token": token}
        answer = await OAUTH.send(world, as_json("POST", "/oauth/token", given, **headers))
        shown = OAUTH.learn(answer.reply) if answer.granted else {}
        if not shown:
            return None
        return Held(wire=OAUTH, who=WHO, token=shown["token"], session=held.session, shown=shown)

    newer = await refreshed(held.shown["refresh"])
    assert newer is not None
    assert (await OAUTH.leave(world, newer)).granted
    assert await refreshed(newer.shown["refresh"]) is None
    assert await refreshed(held.shown["refresh"]) is None
    assert not await alive(world, newer)
    assert not await alive(world, held)


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"role": "engineer"},
        {"password_hash": "fake$other"},
        {"totp_secret": "sealed[totp:u-monitor-a]TERCES"},
        {"email_codes": True},
    ],
    ids=lambda change: next(iter(change)),
)
@EVERY_WIRE
async def test_a_change_of_the_account_ends_its_sessions(
    wire: Wire, change: dict[str, object]
) -> None:
    """A20: and nobody else's."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    bystander = await wire.enter(world, peer("monitor-b"))
    await changed(world, WHO, **change)
    assert not (await wire.ask_who(world, held)).granted
    assert await alive(world, bystander)


@EVERY_WIRE
async def test_an_account_made_anew_inherits_no_session(wire: Wire) -> None:
    """A21: even under the very same id."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    by = operator(TENANT, ANYWHERE)
    await remove_subject(world.env, by, WHO.id)
    await add_subjects(world.env, by, [WHO])
    assert not (await wire.ask_who(world, held)).granted
    assert (await wire.ask_who(world, await wire.enter(world, WHO))).granted


@pytest.mark.parametrize(
    "scope",
    [
        OfSubject(subject=WHO.id),
        OfTenant(),
        *(OfDialect(dialect=DialectName(name)) for name in sorted(BY_NAME)),
    ],
    ids=repr,
)
async def test_a_logout_of_many_ends_what_it_names_and_nothing_else(scope: Scope) -> None:
    """A1, A4 for mass logout: every wire, and never another tenant."""
    world = await make_crowd()
    mine = [await wire.enter(world, WHO) for wire in WIRES if wire.name != "multitech by cookie"]
    theirs = [await wire.enter(world, peer("monitor-b")) for wire in WIRES]
    far = [await wire.enter(world, peer("monitor-far")) for wire in WIRES]
    await logout(world.env, operator(TENANT, ANYWHERE), scope)

    def named_by(held: Held) -> bool:
        match scope:
            case OfDialect(dialect=dialect):
                return held.wire.dialect == dialect
            case OfSubject(subject=one):
                return held.who.id == one
            case _:
                return True

    for held in (*mine, *theirs):
        assert await alive(world, held) is not named_by(held), held.wire.name
    assert all([await alive(world, held) for held in far])


@EVERY_WIRE
async def test_expired_and_logged_out_stays_refused_in_either_order(wire: Wire) -> None:
    """A17 (CVE-2013-2104): nor does either end make the other forgotten."""
    world = await make_crowd()
    first, then = await wire.enter(world, WHO), await wire.enter(world, peer("monitor-b"))
    by = operator(TENANT, ANYWHERE)
    await logout(world.env, by, OneSession(session=SessionId(first.session)))
    world.clock.advance(400 * DAY)
    await logout(world.env, by, OneSession(session=SessionId(then.session)))
    for held in (first, then):
        assert not (await wire.ask_who(world, held)).granted
        await wire.leave(world, held)
        assert not await alive(world, held)


@EVERY_WIRE
async def test_a_token_stays_dead_when_its_tombstone_is_gone(wire: Wire) -> None:
    """A24: kept longer than any token lives, and then merely unknown."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    await wire.leave(world, held)
    world.clock.advance(1000 * DAY)
    while await sweep(world.env):
        pass
    assert not (await wire.ask_who(world, held)).granted


@EVERY_WIRE
async def test_a_use_that_comes_late_brings_nothing_back(wire: Wire) -> None:
    """A8, A10 (CVE-2023-41041, starsessions 58): last use saved after the end is no revival."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    found = await world.env.store.find(hash_token(held.token))
    assert found is not None
    await wire.leave(world, held)
    world.env.store.touch(found, world.clock.now())
    assert not await alive(world, held)
    quiet = Ask("GET", f"/api/whoami?token={held.token}&inactivity=true")
    if wire.name == "multitech":
        assert not (await wire.send(world, quiet)).granted


@EVERY_WIRE
async def test_a_cookie_without_a_session_is_taken_away(wire: Wire) -> None:
    """A19: also when the row it stood for is gone."""
    if not wire.cookie:
        return
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    await logout(world.env, operator(TENANT, ANYWHERE), OneSession(session=SessionId(held.session)))
    answer = await wire.leave(world, held)
    cleared = [value for name, value in answer.reply.headers if name == "Set-Cookie"]
    assert any("Max-Age=0" in value for value in cleared), answer


@EVERY_WIRE
async def test_nobody_logging_out_leaves_nothing_behind(wire: Wire) -> None:
    """B32 (CVE-2015-5143): anonymous calls store neither a session nor a record."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    before = await audited(world)
    for _ in range(20):
        ask = wire.logout(dict.fromkeys(held.shown, "x" * 40), WHO)
        await wire.send(world, ask)
        await wire.send(world, Ask(ask.method, ask.target.partition("?")[0]))
    assert await audited(world) == before
    assert await world.env.store.live_sessions() == 1


async def test_every_mask_of_a_dead_handle_is_dead() -> None:
    """A1: SOAJS shows one session id in three disguises."""
    world = await make_crowd()
    held = await SOAJS.enter(world, WHO)
    handles = {held.shown["handle"]}
    for _ in range(30):
        answer = await SOAJS.ask_who(world, held)
        handles.add(json_of(answer.reply)["soajsauth"])
    assert len(handles) == 3
    await SOAJS.leave(world, held)
    for handle in handles:
        assert not (await SOAJS.send(world, SOAJS.check({"handle": handle}, WHO))).granted


async def test_a_tenants_logout_stays_in_the_tenant() -> None:
    """A1, C41: the whole of one tenant, and no more."""
    world = await make_crowd()
    far = await NATIVE.enter(world, peer("admin-far"))
    near = await NATIVE.enter(world, peer("admin-a"))
    ask = as_json(
        "POST",
        "/v1/logout",
        {"scope": {"kind": "tenant"}},
        Authorization=f"Bearer {near.token}",
    )
    assert (await NATIVE.send(world, ask)).granted
    assert not await alive(world, near)
    assert await alive(world, far)
    assert far.tenant == OTHER
