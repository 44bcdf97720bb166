"""The short way of `GET /v1/check`: taken for plain questions, and never to a different answer."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.login import LoggedIn
from lastcall.dialects.native import NATIVE, Settings
from lastcall.domain.errors import StoreUnavailable
from lastcall.domain.session import Lifetime
from lastcall.domain.types import HOUR, MINUTE, Duration, Instant, SubjectId, TenantId
from lastcall.http import Mount
from lastcall.http.lane import MOST_HOSTS
from tests.authority.acts import begin, end
from tests.http.lanes import Pair, check, pair, request
from tests.native.client import Client
from tests.world import OTHER, TENANT, World

TESS_SECRET = "JBSWY3DPEHPK3PXP"


async def logged_in(both: Pair, name: str = "john", **more: Any) -> LoggedIn:
    """The same session in both worlds."""
    begun = [await begin(world, name, **more) for world in both.worlds]
    assert begun[0].token == begun[1].token
    return begun[0]


def status(answer: bytes) -> int:
    assert answer.count(b"HTTP/1.1 ") == 1
    return int(answer.split(b" ")[1])


async def test_good_tokens_take_the_shortest_way() -> None:
    both = await pair()
    begun = await logged_in(both)
    other = await logged_in(both, "engineer")
    for one in (begun, begun, other, begun, other):
        answer = await both.ask(check(one.token))
        assert status(answer) == 204
        assert f"x-lastcall-session: {one.session.id}\r\n".encode() in answer
    assert (both.protocol.shortest, both.protocol.fast, both.protocol.ordinary) == (5, 0, 0)


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "bearer {}")],
        [("Authorization", "Bearer  {}")],
        [("Authorization", "Bearer {} x")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer x{}")],
        [("Authorization", "Basic {}")],
        [("Authorization", "Bearer {}"), ("Authorization", "Bearer {}")],
        [("Authorization", "Bearer x"), ("Authorization", "Bearer {}")],
        [("Authorization", "Bearer \xe9{}")],
        [("Authorization", "Bearer {}"), ("Host", "127.0.0.1")],
        [("Authorization", "Bearer {}"), ("Connection", "close")],
        [("Authorization", "Bearer {}"), ("Connection", "keep-alive, x")],
        [("Authorization", "Bearer {}"), ("Connection", "upgrade"), ("Upgrade", "h2c")],
        [("Authorization", "Bearer {}"), ("Content-Length", "0")],
        [("Authorization", "Bearer {}"), ("X-Request-Id", "my-own-1")],
        [("Authorization", "Bearer {}"), ("X-Request-Id", "no")],
        [("Authorization", "Bearer {}"), ("Cookie", "__Host-lastcall=x")],
        [("Authorization", "Bearer x"), ("Cookie", "__Host-lastcall={}")],
        [("Cookie", "__Host-lastcall={}")],
        [("Authorization", "Bearer {}"), ("X-Forwarded-Host", "other.example")],
        [("Authorization", "Bearer {}"), ("X-Forwarded-For", "203.0.113.9")],
        [("Authorization", "Bearer {}"), ("Forwarded", "for=203.0.113.9;host=other.example")],
        [("Authorization", "Bearer {}"), ("User-Agent", "x{}")],
        [("Authorization", "Bearer {}"), *((f"X-{number}", "x" * 90) for number in range(99))],
        [("Authorization", "Bearer {}"), *((f"X-{number}", "x") for number in range(101))],
        [("Authorization", "Bearer {}"), ("X", "x" * 33_000)],
        [],
    ],
)
async def test_whatever_the_head_the_answer_is_the_same(headers: list[tuple[str, str]]) -> None:
    both = await pair(
        trusted_proxies=("192.0.2.0/24",), tenant_hosts={"other.example": TenantId("other")}
    )
    begun = await logged_in(both)
    told = [(name, value.replace("{}", begun.token)) for name, value in headers]
    for _ in range(3):
        await both.ask(request("GET", "/v1/check", *told))
        await both.ask(check(begun.token))


@pytest.mark.parametrize(
    "raw",
    [
        b"HEAD /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.0\r\nConnection: keep-alive\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.1\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.1\r\nHost: a b\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.1\r\nHost: \r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check? HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check?a=b HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check#x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/logout?a#b HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET //v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/%63heck HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET http://a/v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"POST /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"OPTIONS /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        (
            b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n"
            b"Content-Length: 3\r\n\r\nabc"
        ),
        (
            b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nHost: evil\r\n\r\n"
        ),
        (
            b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n"
            b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
        ),
        (
            b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n"
            b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"
        ),
        (
            b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n"
            b"Expect: 100-continue\r\n\r\n"
        ),
        b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nX: a\r\n b\r\n\r\n",
        b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.1\nHost: a\nAuthorization: Bearer {}\n\n",
        b"\r\n\r\nGET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"GET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n\r\n",
        b"GET /v1/check HTTP/2.0\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        b"PATCH /v1/logout HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
    ],
)
async def test_whatever_is_sent_the_answer_is_the_same(raw: bytes) -> None:
    both = await pair()
    begun = await logged_in(both)
    await both.ask(check(begun.token, host="a"))
    await both.ask(check(begun.token, host="a"))
    sent = raw.replace(b"{}", begun.token.encode())
    for _ in range(2):
        await both.ask(sent)
    assert status(await both.ask(check(begun.token, host="a"))) == 204


async def disabled(world: World) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        account = await tx.subject(SubjectId("u-john"))
        assert account is not None
        await tx.change_subject(replace(account, enabled=False))


async def renamed(world: World) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        account = await tx.subject(SubjectId("u-john"))
        assert account is not None
        await tx.change_subject(replace(account, username="jean luc", role="engineer"))


async def gone(world: World) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        await tx.remove_subject(SubjectId("u-john"))


async def idle(world: World) -> None:
    world.clock.advance(HOUR)


async def another_begins(world: World) -> None:
    await begin(world, "engineer")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (disabled, 401),
        (renamed, 204),
        (gone, 401),
        (idle, 401),
        (another_begins, 204),
    ],
)
async def test_what_changes_between_two_checks_is_seen_by_the_second(
    change: Callable[[World], Awaitable[None]], wanted: int
) -> None:
    both = await pair()
    begun = await logged_in(both)
    for _ in range(3):
        assert status(await both.ask(check(begun.token))) == 204
    await both.do(change)
    for _ in range(3):
        assert status(await both.ask(check(begun.token))) == wanted


async def test_a_session_that_was_ended_is_refused_at_once() -> None:
    both = await pair()
    begun = [await begin(world, "john") for world in both.worlds]
    other = await logged_in(both, "engineer")
    for one in (*begun, other, *begun):
        assert status(await both.ask(check(one.token))) == 204
    for world, one in zip(both.worlds, begun, strict=True):
        await end(world, one.caller)
    assert status(await both.ask(check(begun[0].token))) == 401
    assert status(await both.ask(check(other.token))) == 204
    assert status(await both.ask(check(begun[0].token))) == 401


async def test_it_lapses_at_the_very_instant() -> None:
    both = await pair()
    lifetime = Lifetime(idle=Duration(10 * MINUTE), absolute=Duration(25 * MINUTE))
    begun = await logged_in(both, lifetime=lifetime)
    for step in (1, 10 * MINUTE - 2, 10 * MINUTE - 1, 5 * MINUTE):
        assert status(await both.ask(check(begun.token))) == 204
        for world in both.worlds:
            world.clock.advance(step)
    assert status(await both.ask(check(begun.token))) == 204, "a millisecond before its end"
    for world in both.worlds:
        world.clock.advance(2)
    assert status(await both.ask(check(begun.token))) == 401


async def test_a_use_within_the_second_of_another_is_not_a_further_one() -> None:
    both = await pair()
    begun = await logged_in(both)

    async def last_seen() -> list[Instant]:
        found = []
        for world in both.worlds:
            async with world.env.store.transaction(TENANT) as tx:
                session = await tx.session(begun.session.id)
                assert session is not None
                found.append(session.last_seen)
        return found

    start = begun.session.last_seen
    for moment, known in ((0, 0), (999, 0), (1_000, 1_000), (1_999, 1_000), (2_500, 2_500)):
        for world in both.worlds:
            world.clock.advance(start + moment - world.clock.now())
        await both.ask(check(begun.token))
        assert await last_seen() == [start + known, start + known]


async def test_the_token_of_another_tenant_is_refused_where_it_does_not_belong() -> None:
    both = await pair(tenant_hosts={"other.example": OTHER, "own.example": TENANT})
    begun = await logged_in(both, "stranger", tenant=OTHER)
    own = await logged_in(both)
    for _ in range(3):
        assert status(await both.ask(check(begun.token))) == 401
        assert status(await both.ask(check(begun.token, host="Other.Example:80"))) == 204
        assert status(await both.ask(check(own.token, host="other.example"))) == 401
        assert status(await both.ask(check(own.token, host="own.example"))) == 204
        assert status(await both.ask(check(begun.token, host="own.example"))) == 401
    assert both.protocol.shortest == 6


async def test_more_tenants_are_those_the_settings_name() -> None:
    settings = Settings(more_tenants=("other",))
    both = await pair(
        Mount(dialect=NATIVE, settings=settings), tenant_hosts={"own.example": TENANT}
    )
    begun = await logged_in(both, "stranger", tenant=OTHER)
    own = await logged_in(both)
    for _ in range(2):
        assert status(await both.ask(check(begun.token))) == 204
        assert status(await both.ask(check(own.token))) == 204
        assert status(await both.ask(check(begun.token, host="own.example"))) == 401


async def test_a_session_in_somebody_elses_place_says_so() -> None:
    both = await pair()
    tokens = []
    for world in both.worlds:
        client = Client(world, Settings())
        admin = await client.log_in(
            "tess", code=world.totp.code("JBSWY3DPEHPK3PXP", world.clock.wall() // 30_000)
        )
        reply = await client.ask(
            "POST", "/v1/impersonate", {"username": "john", "reason": "asked to"}, admin
        )
        assert reply.status == 200, reply.body
        tokens.append(reply.body.split(b'"token":"')[1].split(b'"')[0].decode())
    assert tokens[0] == tokens[1]
    for _ in range(2):
        answer = await both.ask(check(tokens[0]))
        assert b"x-lastcall-impersonator: u-tess\r\n" in answer
    assert both.protocol.shortest == 2


async def test_a_server_that_drains_says_so_and_closes() -> None:
    both = await pair()
    begun = await logged_in(both)
    await both.ask(check(begun.token))
    for served in both.served:
        served.state.draining = True
    assert b"connection: close\r\n" in await both.ask(check(begun.token))
    assert both.lines[0].pipe.closing


async def test_a_store_that_has_failed_gives_no_good_answers() -> None:
    both = await pair()
    begun = await logged_in(both)
    await both.ask(check(begun.token))
    for world in both.worlds:
        await world.env.store.close()
    assert status(await both.ask(check(begun.token))) == 503
    with pytest.raises(StoreUnavailable):
        both.worlds[0].env.store.peek(begun.session.token_hash)


async def test_they_are_counted_like_all_others_and_not_logged(logged: io.StringIO) -> None:
    both = await pair()
    begun = await logged_in(both)
    for _ in range(40):
        await both.ask(check(begun.token))
    assert both.protocol.shortest == 40
    assert logged.getvalue() == ""
    await both.ask(check("nonsense"))
    assert logged.getvalue().count('"refused":"not-authenticated"') == 2
    pages = [served.metrics.page().decode().splitlines() for served in both.served]
    wanted = (
        'lastcall_requests_total{dialect="native",route="/v1/check",status="204"} 40.0',
        'lastcall_checks_total{outcome="live"} 40.0',
    )
    for page in pages:
        for line in wanted:
            assert line in page
    assert both.served[0].metrics.page().decode().splitlines()[0] == pages[0][0], "once only"
    times = 'lastcall_check_seconds_count{dialect="native",route="/v1/check"}'
    assert f"{times} {48 + 1}.0" in pages[0], "one in sixteen stands for all"
    assert f"{times} {40 + 1}.0" in pages[1]


async def test_heads_of_a_connection_that_all_differ_are_read_by_the_parser() -> None:
    both = await pair()
    begun = await logged_in(both)
    for number in range(12):
        await both.ask(check(begun.token, ("X-Trace", str(number))))
    assert both.protocol.shortest == 12


async def test_a_token_is_only_what_the_parser_would_take_for_one() -> None:
    """Between what comes before and after a token known, something that is not a token."""
    both = await pair()
    begun = await logged_in(both)
    await both.ask(check(begun.token))
    await both.ask(check(begun.token))
    token = begun.token
    for sly in (
        f"{token}\r\nX-Request-Id: mine-1",
        f"x\r\nAuthorization: Bearer {token}",
        f"{token}\r\n\r\nGET /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}",
        f" {token}",
        f"{token} ",
        "",
    ):
        await both.ask(check(sly))
        await both.ask(check(token))


async def test_a_head_is_whole_only_where_the_parser_says_so() -> None:
    """What looks like a check, in the middle of something else; and one that goes on."""
    both = await pair()
    begun = await logged_in(both)
    one = check(begun.token)
    for pieces in (
        (b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", one),
        (b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nX:\r\n", one),
        (b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n", one),
        (one[:-4] + b"\r\nX-", b"A: b\r\n\r\n"),
        (one[:-4] + b"abcd", b"\r\n\r\n"),
        (one[:-1] + b"\r", b"\n"),
        (b"POST /v1/logout HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(one), one),
        (b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(one), one),
        (b"\r", one),
        (b"\r\n", one),
    ):
        await both.ask(one)
        await both.ask(one)
        await both.ask(*pieces)
        await both.ask(one)


async def test_many_names_for_the_server_take_the_short_way_from_nobody() -> None:
    """Anybody may ask for any host: what is known of them is bounded, and makes room."""
    both = await pair()
    begun = await logged_in(both)
    for number in range(MOST_HOSTS + 1):
        for line in both.lines:
            await line.send(check("x", host=f"made-up-{number}.example"))
    both.connect()
    before = both.protocol.shortest
    for _ in range(2):
        await both.ask(check(begun.token, host="late.example"))
    assert both.protocol.shortest == before + 2


async def test_connections_do_not_share_what_they_have_learnt() -> None:
    both = await pair()
    begun = await logged_in(both)
    first = both.lines
    await both.ask(check(begun.token, ("X-A", "1")))
    both.connect(peer=("198.51.100.4", 4))
    await both.ask(check(begun.token, ("X-B", "2")))
    second = both.lines
    for lines in (first, second, first):
        both.lines = lines
        await both.ask(check(begun.token, ("X-A", "1")))
