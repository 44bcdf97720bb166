"""The revocation feed over the native API, and introspection that is not older than its caller."""

import asyncio
import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from lastcall.dialects.native import NATIVE, Service, Settings
from lastcall.dialects.native import feed as routes
from lastcall.domain.token import hash_token
from lastcall.domain.types import SessionId
from lastcall.index import IndexFeed
from lastcall.ports import Mark
from lastcall.wire import Reply
from tests.native.client import Client, code, content
from tests.world import OTHER, TENANT, make_world

SECRET = "a secret that is long enough"
SETTINGS = Settings(
    services={"wiki": Service(secret=SECRET), "crm": Service(secret=SECRET + "!", tenant="other")}
)
WIKI = "Basic " + b64encode(f"wiki:{SECRET}".encode()).decode()
CRM = "Basic " + b64encode(f"crm:{SECRET}!".encode()).decode()


async def a_client() -> Client:
    return Client(await make_world(), SETTINGS)


async def position(client: Client) -> str:
    reply = await client.ask("GET", "/v1/feed/position", Authorization=WIKI)
    found: str = content(reply)["position"]
    return found


def events(piece: bytes) -> list[dict[str, Any]]:
    """Comments left out."""
    found = []
    for block in piece.decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if line[:1] not in ("", ":")
        )
        if fields:
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


async def follow(client: Client, last: str = "", by: str = WIKI) -> Reply:
    return await client.ask("GET", "/v1/feed", Authorization=by, Last_Event_ID=last)


async def following(reply: Reply) -> list[dict[str, Any]]:
    assert reply.stream is not None
    return events(await asyncio.wait_for(anext(reply.stream), 60))


async def introspect(client: Client, token: str, at: str = "", **more: str) -> Reply:
    form = "&".join(f"{name}={value}" for name, value in {"token": token, **more}.items())
    headers = {"Authorization": WIKI, "Content-Type": "application/x-www-form-urlencoded"}
    if at:
        headers["Lastcall-Position"] = at
    call = client.world.call(
        NATIVE, "POST", "/v1/introspect", headers, form.encode(), settings=SETTINGS
    )
    return await NATIVE.answer(call)


async def test_a_follower_without_a_position_begins_with_a_reset() -> None:
    client = await a_client()
    reply = await follow(client)
    assert (reply.holder.kind, reply.holder.name) == ("service", "wiki")
    [event] = await following(reply)
    here = await position(client)
    assert (event["event"], event["id"], event["data"]) == ("reset", here, {"at": here})


def named(told: list[dict[str, Any]], what: str) -> set[str]:
    return {one for event in told for one in event["data"].get(what, ())}


async def session_of(client: Client, token: str) -> str:
    found: str = content(await client.ask("GET", "/v1/session", token=token))["id"]
    return found


async def test_a_logout_is_told_and_the_follower_goes_on_where_it_was() -> None:
    client = await a_client()
    token = await client.log_in("john")
    session, since = await session_of(client, token), await position(client)
    await client.ask("POST", "/v1/logout", token=token)
    here = await position(client)
    reply = await follow(client, since)
    told = await following(reply)
    assert told[-1]["id"] == here
    assert named(told, "sessions") == {session}
    await client.ask("POST", "/v1/logout", token=await client.log_in("monitor"))
    later = await following(reply)
    assert {one["event"] for one in later} <= {"forget", "position"}
    assert len(named(later, "sessions")) == 1


async def test_a_token_that_is_replaced_is_told_by_its_hash() -> None:
    client = await a_client()
    token = await client.log_in("john")
    since = await position(client)
    done = await client.ask("POST", "/v1/step-up", {"password": "johnpassword"}, token)
    assert done.status == 200, done.body
    told = await following(await follow(client, since))
    assert hash_token(token).hex() in named(told, "tokens")
    assert token not in json.dumps(told)


async def test_a_scope_is_told_as_one() -> None:
    client = await a_client()
    admin = await client.log_in("admin")
    since = await position(client)
    scope = {"scope": {"kind": "subject", "subject": "u-john"}}
    assert (await client.ask("POST", "/v1/logout", scope, admin)).status == 200
    told = await following(await follow(client, since))
    scopes = [one for event in told for one in event["data"].get("scopes", ())]
    assert {"tenant": "default", "subject": "u-john"} in scopes


async def test_what_makes_nothing_doubtful_is_told_as_progress() -> None:
    client = await a_client()
    since = await position(client)
    await client.log_in("john")
    [event] = await following(await follow(client, since))
    assert (event["event"], event["id"]) == ("position", await position(client))


async def test_a_service_of_a_tenant_hears_of_its_own_marks_alone() -> None:
    client = await a_client()
    stranger = Client(client.world, SETTINGS, tenant=OTHER)
    since = await position(client)
    await client.ask("POST", "/v1/logout", token=await client.log_in("john"))
    own = await stranger.log_in("stranger")
    session = await session_of(stranger, own)
    await stranger.ask("POST", "/v1/logout", token=own)
    await client.ask("POST", "/v1/logout", token=await client.log_in("monitor"))
    told = await following(await follow(client, since, CRM))
    assert named(told, "sessions") == {session}
    assert told[-1]["id"] == await position(client)


@pytest.mark.parametrize("last", ["gone:4", "{epoch}:99999999"])
async def test_a_position_nobody_knows_is_a_reset(last: str) -> None:
    client = await a_client()
    epoch = (await position(client)).split(":")[0]
    [event] = await following(await follow(client, last.format(epoch=epoch)))
    assert event["event"] == "reset"


async def test_a_change_with_many_marks_has_its_id_on_the_last_event() -> None:
    world = await make_world()

    async def confirmed() -> None:
        return None

    feed = IndexFeed("e", 1, confirmed)
    feed.publish(2, [Mark(TENANT, SessionId(f"s{n}")) for n in range(2 * routes.MOST_MARKS + 1)])
    store = _Fed(feed)
    client = Client(replace(world, env=replace(world.env, store=store)), SETTINGS)  # type: ignore[arg-type]  # only its feed is asked
    told = await following(await follow(client, "e:1"))
    assert [one.get("id") for one in told] == [None, None, "e:2"]
    assert [one["data"]["at"] for one in told] == ["e:2"] * 3
    assert sum(len(one["data"]["sessions"]) for one in told) == 2 * routes.MOST_MARKS + 1


async def test_who_was_away_for_long_is_told_in_pieces() -> None:
    """Everybody else's requests are answered between them, and no piece takes much memory."""
    world = await make_world()

    async def confirmed() -> None:
        return None

    feed = IndexFeed("e", 0, confirmed)
    for seq in range(1, 3_001):
        feed.publish(seq, [Mark(TENANT, SessionId(f"s{seq}"))])
    feed.publish(3_001, [Mark(TENANT, SessionId(f"t{n}" * 20)) for n in range(30_000)])
    feed.publish(3_002, [])
    store = _Fed(feed)
    client = Client(replace(world, env=replace(world.env, store=store)), SETTINGS)  # type: ignore[arg-type]  # only its feed is asked
    reply = await follow(client, "e:0")
    assert reply.stream is not None
    told: list[dict[str, Any]] = []
    sizes = []
    while not told or told[-1].get("id") != "e:3002":
        piece = await asyncio.wait_for(anext(reply.stream), 60)
        sizes.append(len(piece))
        told += events(piece)
    assert max(sizes) < 256 * 1024 < sum(sizes)
    assert len(named(told, "sessions")) == 33_000
    ids = [int(one["id"][2:]) for one in told if "id" in one]
    assert ids == [*range(1, 3_003)]


class _Fed:
    """A store that has a feed."""

    def __init__(self, feed: IndexFeed) -> None:
        self.feed = feed


@pytest.mark.parametrize("path", ["/v1/feed", "/v1/feed/position"])
async def test_only_for_services(path: str) -> None:
    client = await a_client()
    token = await client.log_in("admin")
    for more in ({}, {"token": token}):
        reply = await client.ask("GET", path, **more)
        assert (reply.status, code(reply)) == (401, "bad-service-credentials")
    bad = await client.ask("GET", "/v1/feed", Authorization=WIKI, Last_Event_ID="not one")
    assert (bad.status, content(bad)["field"]) == (400, "Last-Event-ID")


async def test_nothing_is_told_while_the_store_cannot_vouch() -> None:
    client = await a_client()
    token = await client.log_in("john")
    at = await position(client)
    await client.world.env.store.close()
    reply = await client.ask("GET", "/v1/feed/position", Authorization=WIKI)
    assert (reply.status, code(reply)) == (503, "store-unavailable")
    assert (await introspect(client, token, at)).status == 503


async def test_introspection_from_a_position_tells_its_own_and_how_long_it_counts() -> None:
    client = await a_client()
    token = await client.log_in("john")
    plain = await introspect(client, token)
    assert not {name for name, _ in plain.headers} & {"Lastcall-Position", "Lastcall-Remaining"}
    at = await position(client)
    client.world.clock.advance(60_000)
    reply = await introspect(client, token, at)
    assert reply.body == plain.body
    assert dict(reply.headers)["Lastcall-Position"] == at
    assert dict(reply.headers)["Lastcall-Remaining"] == str(29 * 60_000)
    dead = await introspect(client, "nothing", at)
    assert content(dead) == {"active": False}
    assert "Lastcall-Remaining" not in dict(dead.headers)
    epoch, _, seq = at.partition(":")
    ahead = await introspect(client, token, f"{epoch}:{int(seq) + 1}")
    assert (ahead.status, code(ahead)) == (503, "store-unavailable")
    elsewhere = await introspect(client, token, "another:4711")
    assert dict(elsewhere.headers)["Lastcall-Position"] == at
    bad = await introspect(client, token, "4711")
    assert (bad.status, content(bad)["field"]) == (400, "Lastcall-Position")


async def test_a_use_that_a_service_saw_counts() -> None:
    client = await a_client()
    token = await client.log_in("john")
    client.world.clock.advance(20 * 60_000)
    at = await position(client)
    used = await introspect(client, token, at, use="true")
    assert dict(used.headers)["Lastcall-Remaining"] == str(30 * 60_000)
    client.world.clock.advance(20 * 60_000)
    assert content(await introspect(client, token))["active"]
    bad = await introspect(client, token, at, use="yes")
    assert (bad.status, content(bad)["field"]) == (400, "use")
