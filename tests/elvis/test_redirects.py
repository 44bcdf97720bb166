"""No value of `logoutSuccessUrl` takes a browser away unasked."""

import re
from html import unescape
from urllib.parse import quote

import pytest

from lastcall.dialects.elvis import ELVIS
from lastcall.dialects.elvis.settings import Settings
from lastcall.wire import Reply
from tests.elvis.browser import Page, follow
from tests.elvis.corpus import ELSEWHERE, RAW
from tests.world import World, make_world

HERE = Page("http", "127.0.0.1", 8700, "/logout")
GOOD = "https://good.example.com"
LINK = re.compile(r"<a[^>]* href=\"([^\"]*)\"")

QUERIES = (
    tuple(
        dict.fromkeys(
            form
            for value in ELSEWHERE
            for form in (
                re.sub(r"[&#]", lambda found: quote(found[0]), value),
                quote(value, safe=""),
                quote(quote(value, safe=""), safe=""),
                quote(quote(quote(value, safe=""), safe=""), safe=""),
            )
        )
    )
    + RAW
)


async def led(world: World, query: str, **settings: object) -> Reply:
    return await world.ask(
        ELVIS,
        "GET",
        f"/logout?logoutSuccessUrl={query}",
        settings=Settings(**settings),  # type: ignore[arg-type]  # as a test wants them
    )


def location(reply: Reply) -> str | None:
    return dict(reply.headers).get("Location")


def links(reply: Reply) -> list[str]:
    return [unescape(found) for found in LINK.findall(reply.body.decode())]


def test_the_corpus_would_lead_away_from_a_server_that_follows_it() -> None:
    assert sum(follow(value, HERE).origin != HERE.origin for value in ELSEWHERE) > 60


async def test_nobody_leaves_unasked() -> None:
    """With nothing listed, every redirect stays; every page names where its one link leads."""
    world = await make_world()
    for query in QUERIES:
        reply = await led(world, query)
        to = location(reply)
        if to is not None:
            assert reply.status == 302
            assert re.fullmatch(r"[\x21-\x5b\x5d-\x7e]+", to), query
            assert follow(to, HERE).origin == HERE.origin, (query, to)
            assert follow(to, HERE).path.partition("?")[0] != "/logout", query
            continue
        assert reply.status == 200
        home, *away = links(reply)
        assert home == "/app"
        assert len(away) <= 1
        for link in away:
            page = follow(link, HERE)
            assert page.scheme in ("http", "https"), (query, link)
            assert page.origin == re.sub(r"(://[^/?#]+).*", r"\1", link), (query, link)
            assert f"<code>{link}</code>" in unescape(reply.body.decode())


async def test_only_the_very_origin_that_is_listed_is_gone_to() -> None:
    world = await make_world()
    for query in QUERIES:
        to = location(await led(world, query, redirect_hosts=(GOOD,)))
        if to is not None:
            assert follow(to, HERE).origin in (HERE.origin, GOOD), (query, to)


@pytest.mark.parametrize(
    ("given", "goes"),
    [
        ("https://good.example.com", "https://good.example.com"),
        ("HTTPS://Good.Example.COM:443/a%20b?c=d#e", "https://good.example.com/a%20b?c=d#e"),
        ("https://good.example.com?x", "https://good.example.com?x"),
        ("/app", "/app"),
        ("/app/#/search/x:y@z", "/app/#/search/x:y@z"),
        ("/a/../b", "/a/../b"),
        ("client/index.html?x=http://y", "/client/index.html?x=http://y"),
        ("http://127.0.0.1:8700/app?x", "/app?x"),
        ("http://127.0.0.1:8700?x", "/?x"),
        ("/%E4%BD%A0", "/%E4%BD%A0"),
        ("/logout/", "/landed"),
        ("/LOGOUT", "/landed"),
        ("", "/landed"),
    ],
)
async def test_what_is_clear_is_followed(given: str, goes: str) -> None:
    world = await make_world()
    reply = await led(world, quote(given, safe=""), redirect_hosts=(GOOD,), landing_page="/landed")
    assert (reply.status, location(reply)) == (302, goes)


async def test_spoofed_names_of_the_host_change_nothing() -> None:
    world = await make_world()
    call = world.call(
        ELVIS,
        "GET",
        "/logout?logoutSuccessUrl=http%3A%2F%2Fevil.test%2F",
        {"X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"},
    )
    reply = await ELVIS.answer(call.with_(host="evil.test"))
    assert location(reply) is None
    reply = await ELVIS.answer(call.with_(host="evil.test", query=""))
    assert location(reply) == "/app"
