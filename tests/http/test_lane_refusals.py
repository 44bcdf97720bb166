"""The short way of a refused `GET /v1/check`: the handler's answer, counted and logged alike."""

import io
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from lastcall.authority.login import LoggedIn
from lastcall.authority.logout import logout
from lastcall.domain.access import operator
from lastcall.domain.logout import OfTenant
from lastcall.domain.types import DAY, SubjectId
from lastcall.metrics import Metrics
from tests.authority.acts import begin, origin
from tests.http.lanes import Pair, check, pair
from tests.world import OTHER, TENANT, World


async def logged_in(both: Pair, name: str = "john", **more: Any) -> LoggedIn:
    """The same session in both worlds."""
    begun = [await begin(world, name, **more) for world in both.worlds]
    assert begun[0].token == begun[1].token
    return begun[0]


async def refused(both: Pair, token: str, *headers: tuple[str, str], **where: str) -> bytes:
    answer = await both.ask(check(token, *headers, **where))
    assert answer.startswith(b"HTTP/1.1 401 ")
    return answer


async def all_out(world: World) -> None:
    await logout(world.env, operator(TENANT, origin()), OfTenant())


async def lapsed(world: World) -> None:
    world.clock.advance(DAY)


async def disabled(world: World) -> None:
    async with world.env.store.transaction(TENANT) as tx:
        account = await tx.subject(SubjectId("u-john"))
        assert account is not None
        await tx.change_subject(replace(account, enabled=False))


def told(metrics: Metrics, *names: str) -> list[str]:
    lines = metrics.page().decode().splitlines()
    return sorted(line for line in lines if line.startswith(names))


def lines(logged: io.StringIO) -> list[Mapping[str, Any]]:
    """Without what is never the same twice."""
    found = [json.loads(line) for line in logged.getvalue().splitlines()]
    return [{name: line[name] for name in line if name not in ("time", "ms")} for line in found]


@pytest.mark.parametrize("change", [all_out, lapsed, disabled])
async def test_a_token_that_counts_no_more_is_refused_the_short_way(
    change: Callable[[World], Awaitable[None]], logged: io.StringIO
) -> None:
    both = await pair()
    begun = await logged_in(both)
    await both.ask(check(begun.token))
    await both.do(change)
    answers = {await refused(both, begun.token) for _ in range(5)}
    assert len(answers) == 5, "each has an id of its own"
    assert (both.protocol.fast, both.protocol.ordinary) == (0, 0)
    assert len(lines(logged)) == 10
    for fast, ordinary in zip(lines(logged)[::2], lines(logged)[1::2], strict=True):
        assert fast == ordinary
    names = ("lastcall_requests_total", "lastcall_checks_total", "lastcall_refusals_total")
    fast_told, told_ordinary = (told(one.metrics, *names) for one in both.served)
    assert fast_told == told_ordinary
    assert 'lastcall_refusals_total{code="not-authenticated",dialect="native"} 5.0' in fast_told


async def test_a_connection_that_was_never_given_a_good_answer_has_it_too() -> None:
    both = await pair()
    tokens = [(await logged_in(both, name)).token for name in ("john", "engineer", "monitor")]
    await both.do(all_out)
    for token in (*tokens, *tokens):
        await refused(both, token)
    fresh = await logged_in(both)
    assert (await both.ask(check(fresh.token))).startswith(b"HTTP/1.1 204 ")
    assert (both.protocol.shortest, both.protocol.fast, both.protocol.ordinary) == (1, 0, 0)


async def test_what_nobody_issued_is_read_by_the_handler() -> None:
    """It could hold anything, also what ends a header."""
    both = await pair()
    begun = await logged_in(both)
    await both.do(all_out)
    await refused(both, begun.token)
    await refused(both, "nonsense")
    assert both.protocol.fast == 1
    for sly in (
        f"{begun.token}\r\nCookie: __Host-lastcall=x",
        f"x\r\nX: Bearer {begun.token}",
        f"{begun.token}\r\n\r\nGET /v1/check HTTP/1.1\r\nHost: a\r\nX: {begun.token}",
    ):
        await both.ask(check(sly))
        await refused(both, begun.token)


async def test_with_a_cookie_the_answer_is_another() -> None:
    both = await pair()
    begun = await logged_in(both)
    cookie = ("Cookie", "__Host-lastcall=x")
    for _ in range(2):
        await both.ask(check(begun.token, cookie))
    await both.do(all_out)
    for _ in range(3):
        assert b"set-cookie: __Host-lastcall=" in await refused(both, begun.token, cookie)
        assert b"set-cookie" not in await refused(both, begun.token)
    assert both.protocol.fast == 3


async def test_the_log_names_whom_a_trusted_proxy_names(logged: io.StringIO) -> None:
    both = await pair(trusted_proxies=("192.0.2.0/24",))
    begun = await logged_in(both)
    await both.do(all_out)
    for _ in range(3):
        await refused(both, begun.token, ("X-Forwarded-For", "203.0.113.9"))
        await refused(both, begun.token)
    both.connect(peer=("198.51.100.4", 4))
    await refused(both, begun.token, ("X-Forwarded-For", "203.0.113.9"))
    assert both.protocol.fast == 0
    named = [line["address"] for line in lines(logged)]
    assert named == [*["203.0.113.9"] * 2, *["192.0.2.7"] * 2] * 3 + ["198.51.100.4"] * 2


async def test_of_another_tenant_is_no_good_either() -> None:
    both = await pair(tenant_hosts={"other.example": OTHER})
    begun = await logged_in(both)
    for _ in range(2):
        await refused(both, begun.token, host="other.example")
        assert (await both.ask(check(begun.token))).startswith(b"HTTP/1.1 204 ")
    assert (both.protocol.shortest, both.protocol.fast) == (2, 0)
    names = ("lastcall_checks_total",)
    assert told(both.served[0].metrics, *names) == told(both.served[1].metrics, *names)


async def test_a_server_that_drains_says_so_and_closes() -> None:
    both = await pair()
    begun = await logged_in(both)
    await both.do(all_out)
    await refused(both, begun.token)
    for served in both.served:
        served.state.draining = True
    assert b"connection: close\r\n" in await refused(both, begun.token)
    assert both.lines[0].pipe.closing


async def test_a_store_that_has_failed_refuses_nobody() -> None:
    both = await pair()
    begun = await logged_in(both)
    await both.do(all_out)
    await refused(both, begun.token)
    for world in both.worlds:
        await world.env.store.close()
    assert (await both.ask(check(begun.token))).startswith(b"HTTP/1.1 503 ")


async def test_the_headers_of_the_server_itself_are_those_of_the_moment() -> None:
    both = await pair()
    begun = await logged_in(both)
    await both.do(all_out)
    await refused(both, begun.token)
    for line in both.lines:
        line.state.default_headers = [(b"date", b"Sat, 21 Nov 2026 08:00:01 GMT")]
    assert b"date: Sat, 21 Nov 2026 08:00:01 GMT\r\n" in await refused(both, begun.token)
