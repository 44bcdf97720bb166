"""Targets that are whole URLs: where and `Host` are one, or nobody can tell whose request it is."""

import pytest

from tests.authority.acts import begin
from tests.http.lanes import Pair, check, pair, request
from tests.http.test_lane_wire import statuses
from tests.world import OTHER, TENANT

HOSTS = {"own.example": TENANT, "other.example": OTHER}


async def both_tenants() -> tuple[Pair, str]:
    both = await pair(tenant_hosts=HOSTS)
    begun = [await begin(world, "john") for world in both.worlds]
    assert begun[0].token == begun[1].token
    return both, begun[0].token


def at(url: str, token: str, host: str) -> bytes:
    return request("GET", url, ("Authorization", f"Bearer {token}"), host=host)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("own.example", "own.example"),
        ("own.example:8700", "own.example:8700"),
        ("OWN.example", "own.Example"),
    ],
)
async def test_one_and_the_same_is_as_if_it_were_not_said(authority: str, host: str) -> None:
    both, token = await both_tenants()
    sent = at(f"http://{authority}/v1/check", token, host)
    assert statuses(await both.ask(sent, check(token, host=host))) == [204, 204]
    assert statuses(await both.ask(at(f"http://{authority}/v1/check?a=b", token, host))) == [204]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("other.example", "own.example"),
        ("own.example", "other.example"),
        ("own.example:8700", "own.example"),
        ("own.example", "own.example:8700"),
        ("own.example.", "own.example"),
        ("somebody@own.example", "own.example"),
        ("own.example@other.example", "own.example"),
        ("127.0.0.1", "own.example"),
    ],
)
async def test_a_target_at_another_place_is_refused(
    authority: str, host: str, *, warm: bool
) -> None:
    """RFC 9112 3.2.2 has the target decide, others the `Host`: neither tenant gets to see it."""
    both, token = await both_tenants()
    if warm:
        await both.ask(check(token, host=host))
    answer = await both.ask(at(f"http://{authority}/v1/check", token, host))
    assert statuses(answer) == [400]
    assert b"Bad Request" in answer
    assert statuses(await both.ask(check(token, host="own.example"))) == [204]


async def test_it_is_refused_wherever_it_stands() -> None:
    """Behind another, cut anywhere, with a body, asking for another protocol; nothing follows."""
    both, token = await both_tenants()
    good = check(token, host="own.example")
    bad = request(
        "POST",
        "https://other.example/v1/logout",
        ("Authorization", f"Bearer {token}"),
        ("Content-Type", "application/json"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        body=b'{"reason":"x"}',
        host="own.example",
    )
    for cut in range(1, len(bad), 7):
        answers = await both.ask(good + bad[:cut], bad[cut:] + good)
        assert statuses(answers) == [204, 400], cut
    assert statuses(await both.ask(good)) == [204]


async def test_an_old_client_says_both_or_neither() -> None:
    """HTTP/1.0 needs no `Host`; a target that names a place is then at another one than none."""
    both, _ = await both_tenants()
    assert statuses(await both.ask(b"GET http://own.example/livez HTTP/1.0\r\n\r\n")) == [400]
    assert statuses(await both.ask(b"GET /livez HTTP/1.0\r\n\r\n")) == [200]
    named = b"GET http://own.example/livez HTTP/1.0\r\nHost: own.example\r\n\r\n"
    assert statuses(await both.ask(named)) == [200]


async def test_what_a_trusted_proxy_forwards_is_measured_by_its_own_host() -> None:
    """It says for whom with `X-Forwarded-Host`; target and `Host` are its request to us."""
    both = await pair(trusted_proxies=("192.0.2.0/24",), tenant_hosts=HOSTS)
    forwarded = (("X-Forwarded-For", "10.1.1.1"), ("X-Forwarded-Host", "other.example"))
    same = request("GET", "http://inside:8700/livez", *forwarded, host="inside:8700")
    assert statuses(await both.ask(same)) == [200]
    differs = request("GET", "http://other.example/livez", *forwarded, host="inside:8700")
    assert statuses(await both.ask(differs)) == [400]


@pytest.mark.parametrize("target", ["//other.example/v1/check", "/http://other.example/v1/check"])
async def test_a_path_is_no_place(target: str) -> None:
    both, token = await both_tenants()
    assert statuses(await both.ask(at(target, token, "own.example"))) == [404]


@pytest.mark.parametrize(
    "target", ["http://own.example", "http:///v1/check", "http://own.example?x"]
)
async def test_half_a_url_is_no_request(target: str) -> None:
    both, token = await both_tenants()
    assert statuses(await both.ask(at(target, token, "own.example"))) == [400]
