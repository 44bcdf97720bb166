"""Section D: what another site can make a browser do, with the cookies it has."""

from dataclasses import replace

import pytest

from tests.access.driving import (
    BY_NAME,
    PASSWORD,
    Ask,
    Wire,
    alive,
    audited,
    make_crowd,
    named,
    peer,
)
from tests.access.wires import COOKIE_WIRES, NATIVE_COOKIE, WIRES

WITH_COOKIE = pytest.mark.parametrize("wire", COOKIE_WIRES, ids=named)
EVERY_WIRE = pytest.mark.parametrize("wire", WIRES, ids=named)
WHO = peer("monitor-a")

FORGERIES = {
    "image": ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
    "iframe": (
        "GET",
        {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "iframe",
        },
    ),
    "fetch": ("GET", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),
    "fetch by an old browser": ("GET", {"Origin": "https://evil.example"}),
    "fetch from a sandbox": ("GET", {"Origin": "null"}),
    "no origin at all": ("GET", {"Origin": "http://["}),
    "name that begins alike": ("GET", {"Origin": "http://127.0.0.1:8700.evil.example"}),
    "name that ends alike": ("GET", {"Origin": "http://evil127.0.0.1:8700"}),
    "other port": ("GET", {"Origin": "http://127.0.0.1:8701"}),
    "form": (
        "POST",
        {
            "Origin": "https://evil.example",
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    ),
    "form of text": ("POST", {"Origin": "https://evil.example", "Content-Type": "text/plain"}),
    "multipart form": (
        "POST",
        {
            "Origin": "https://evil.example",
            "Content-Type": "multipart/form-data; boundary=x",
        },
    ),
}
"""What a page elsewhere can send without asking first; none can add X-CSRF-TOKEN."""


def forged(ask: Ask, method: str, headers: dict[str, str]) -> Ask:
    cookie = {name: text for name, text in ask.headers.items() if name in ("Cookie", "key")}
    return Ask(method, ask.target, {**cookie, **headers}, b"{}" if method == "POST" else b"")


@WITH_COOKIE
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_another_site_cannot_log_anybody_out(wire: Wire, forgery: str) -> None:
    """D53, D54 (CVE-2024-23319): on the route of each logout, whatever its method."""
    method, headers = FORGERIES[forgery]
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    answer = await wire.send(world, forged(wire.logout(held.shown, WHO), method, headers))
    assert await alive(world, held), answer
    assert answer.reply.status < 500
    cleared = [text for name, text in answer.reply.headers if "Max-Age=0" in text]
    assert not cleared, "nor may it take the cookie away"


@WITH_COOKIE
async def test_the_persons_own_site_can(wire: Wire) -> None:
    """D53: the same calls from this site, so that the test above means something."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    ask = wire.logout(held.shown, WHO)
    own = {"Origin": "http://127.0.0.1:8700", "Sec-Fetch-Site": "same-origin"}
    answer = await wire.send(world, replace(ask, headers={**ask.headers, **own}))
    assert answer.granted, answer
    assert not await alive(world, held)


@EVERY_WIRE
async def test_another_site_cannot_log_anybody_in(wire: Wire) -> None:
    """D57 (login CSRF): it gets no cookie of the attacker's into the browser."""
    world = await make_crowd()
    ask = wire.login(WHO, PASSWORD)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        answer = await wire.send(world, replace(ask, headers={**ask.headers, **headers}))
        assert "Set-Cookie" not in dict(answer.reply.headers), (headers, answer)


@EVERY_WIRE
@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1:8700"])
async def test_no_page_elsewhere_may_read_an_answer(wire: Wire, origin: str) -> None:
    """D58: there are no CORS headers at all unless a setting asks for them."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for ask in (
        wire.login(WHO, PASSWORD),
        wire.check(held.shown, WHO),
        wire.logout(held.shown, WHO),
    ):
        for method in (ask.method, "OPTIONS"):
            carried = {**ask.headers, **preflight}
            answer = await wire.send(world, replace(ask, method=method, headers=carried))
            names = {name.lower() for name, _ in answer.reply.headers}
            assert not any(name.startswith("access-control") for name in names)


@WITH_COOKIE
async def test_cookies_are_out_of_scripts_and_other_sites_reach(wire: Wire) -> None:
    """D54, D61: `HttpOnly`, `SameSite`, one path; and taken away with the very same words."""
    world = await make_crowd()
    answer, shown = await wire.try_login(world, WHO)
    (given,) = [text for name, text in answer.reply.headers if name == "Set-Cookie"]
    left = await wire.send(world, wire.logout(shown, WHO))
    (taken,) = [text for name, text in left.reply.headers if name == "Set-Cookie"]

    def attributes(cookie: str) -> set[str]:
        return {part.strip().lower() for part in cookie.split(";")[1:]}

    assert {"httponly", "path=/"} <= attributes(given)
    assert attributes(given) & {"samesite=strict", "samesite=lax"}
    assert attributes(taken) - {"max-age=0"} == attributes(given)
    assert "domain=" not in given.lower()


async def test_the_token_against_forgery_is_the_sessions_own() -> None:
    """D55: missing, wrong, another session's, in the query, or given twice."""
    world = await make_crowd()
    held = await NATIVE_COOKIE.enter(world, WHO)
    other = await NATIVE_COOKIE.enter(world, WHO)
    ask = NATIVE_COOKIE.logout(held.shown, WHO)
    before = await audited(world)
    for headers in (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": held.shown["csrf"][:-1]},
        {"X-CSRF-Token": held.shown["csrf"].swapcase()},
        {"X-CSRF-Token": other.shown["csrf"]},
        {"X-CSRF-Token": held.token},
        {"X-CSRF-Token": held.shown["csrf"], "x-csrf-token": held.shown["csrf"]},
    ):
        sent = {"Cookie": ask.headers["Cookie"], **headers}
        target = f"{ask.target}?X-CSRF-Token={held.shown['csrf']}"
        answer = await NATIVE_COOKIE.send(world, replace(ask, target=target, headers=sent))
        assert not answer.granted, headers
    assert await alive(world, held)
    assert await audited(world) >= before
    assert (await NATIVE_COOKIE.send(world, ask)).granted


async def test_every_wire_with_a_cookie_is_under_test() -> None:
    """D54: a wire that sets a cookie at login is one of those above."""
    world = await make_crowd()
    setting = set()
    for wire in WIRES:
        answer, _ = await wire.try_login(world, WHO)
        if "Set-Cookie" in dict(answer.reply.headers):
            setting.add(wire.dialect)
    assert setting == {wire.dialect for wire in COOKIE_WIRES}
    assert setting < set(BY_NAME)
