"""A real browser: what people see at a logout, and what other sites cannot do to them."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.browsing import browser, profile
from tests.e2e.server import Server, demo, until
from tests.elvis.corpus import ELSEWHERE, RAW

pytestmark = pytest.mark.e2e

JOHN = "username=john&password=johnpassword"
NAMED = """[...document.querySelectorAll("a.away")].map(link => [
    new URL(link.href).origin,
    new URL(document.querySelector("code").innerText).origin,
    link.protocol + "//" + link.innerText.replace("Leave for ", "")
])"""
"""Three ways in which the page tells where its link leads; they must agree."""
STYLED = "getComputedStyle(document.querySelector('main')).maxWidth"


@dataclass
class Elsewhere:
    """Another site: serves whatever page a test puts on it, and notes who comes."""

    port: int = 0
    page: str = ""
    visits: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def site() -> Iterator[Elsewhere]:
    """At `localhost`, while the server under test is at `127.0.0.1`: another site."""
    other = Elsewhere()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            other.visits.append((self.path, self.headers.get("Referer", "")))
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(other.page.encode())

        def log_message(self, *_: Any) -> None:
            """Keep standard error for failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        other.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        yield other
        listening.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium(site: Elsewhere) -> Iterator[Browser]:
    """Every name that ends in `.test` leads to the other site, so that leaving would show."""
    with browser(f"--host-resolver-rules=MAP *.test 127.0.0.1:{site.port}") as started:
        yield started


@pytest.fixture
def person(chromium: Browser, site: Elsewhere) -> Iterator[BrowserContext]:
    """A browser profile of its own."""
    site.page = ""
    site.visits.clear()
    with profile(chromium, viewport={"width": 900, "height": 620}) as context:
        yield context


def fetched(page: Page, path: str, headers: dict[str, str] | None = None) -> Any:
    """What a script of the page's own origin gets from a POST there."""
    return page.evaluate(
        """async ([path, headers]) => {
            const reply = await fetch(path, {method: "POST", headers});
            return {status: reply.status, body: await reply.json()};
        }""",
        [path, headers or {}],
    )


def logged_in(person: BrowserContext, server: Server) -> tuple[Page, str]:
    """A page of the server's, whose browser is logged in, and the CSRF token."""
    page = person.new_page()
    page.goto(f"{server.url}/livez")
    reply = fetched(page, f"/services/login?{JOHN}")
    assert reply["body"]["loginSuccess"] is True
    return page, str(reply["body"]["csrfToken"])


def still_in(person: BrowserContext, server: Server) -> bool:
    """Whether the browser still holds a session that counts."""
    kept = "authToken" in cookies(person)
    return kept and person.request.get(f"{server.url}/services/profile").status == 200


def cookies(person: BrowserContext) -> set[str]:
    return {str(cookie.get("name")) for cookie in person.cookies()}


def test_login_and_logout_by_script(person: BrowserContext, server: Server) -> None:
    page, csrf = logged_in(person, server)
    assert "authToken" not in str(page.evaluate("document.cookie"))
    assert fetched(page, "/services/logout")["status"] == 403
    assert still_in(person, server)
    reply = fetched(page, "/services/logout", {"X-CSRF-TOKEN": csrf})
    assert reply == {"status": 200, "body": {"logoutSuccess": True}}
    assert "authToken" not in cookies(person)
    assert fetched(page, "/services/profile")["status"] == 401


def test_logout_and_redirect(person: BrowserContext, server: Server) -> None:
    page, _ = logged_in(person, server)
    page.goto(f"{server.url}/logout?logoutSuccessUrl=%2Fapp%3Fbye%23done")
    assert page.url == f"{server.url}/app?bye#done"
    assert page.title() == "You are logged out"
    assert page.evaluate(STYLED) == "576px"
    assert not still_in(person, server)


def test_the_landing_page_looks_before_it_speaks(person: BrowserContext, server: Server) -> None:
    page, _ = logged_in(person, server)
    page.goto(f"{server.url}/app")
    assert page.title() == "You are still logged in"
    with page.expect_navigation(url="**/app"):
        page.get_by_role("button", name="Log out").click()
    assert page.title() == "You are logged out"
    page.go_back()
    page.go_back()
    page.goto(f"{server.url}/app")
    assert page.title() == "You are logged out"


def test_the_page_before_another_site(
    person: BrowserContext, server: Server, site: Elsewhere, tmp_path: Path
) -> None:
    said: list[str] = []
    page, _ = logged_in(person, server)
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{server.url}/logout?logoutSuccessUrl={quote('http://www.evil.test/in?a=b&c', '')}")
    page.screenshot(path=tmp_path / "elsewhere.png")
    assert not still_in(person, server)
    assert page.get_by_role("heading", level=1).inner_text() == "You are logged out"
    assert page.locator("code").inner_text() == "http://www.evil.test/in?a=b&c"
    assert page.evaluate(STYLED) == "576px"
    assert said == []
    page.get_by_role("link", name="Leave for www.evil.test").click()
    page.wait_for_url("http://www.evil.test/in?a=b&c")
    assert ("/in?a=b&c", "") in site.visits
    page.go_back()
    page.get_by_role("link", name="Stay here").click()
    page.wait_for_url(f"{server.url}/app")


def test_no_value_takes_the_browser_away(
    person: BrowserContext, server: Server, site: Elsewhere
) -> None:
    page = person.new_page()
    asked: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismissed)
    short = [quote(value, safe="") for value in ELSEWHERE if len(value) < 1_000]
    for query in (*short, *(quote(value) for value in short[::5]), *RAW):
        page.goto(f"{server.url}/logout?logoutSuccessUrl={query}", wait_until="domcontentloaded")
        assert page.evaluate("location.origin") == server.url, query
        named = page.evaluate(NAMED)
        assert all(len(set(names)) == 1 for names in named), (query, named)
    assert asked == []
    assert site.visits == []


ROUTES = (
    "/logout",
    "/logout?logoutSuccessUrl=/app",
    "/services/logout",
    "/api/logout",
    "/urac/logout",
    "/aveksa/command.submit?cmd=logoutUser&format=json",
    "/api/v1/logout",
    "/api/v1/sessions/logout",
    "/api/v1/sessions/logout.me",
    "/v1/logout",
)

ATTACK = """
<img src="{url}"> <script src="{url}"></script> <link rel="stylesheet" href="{url}">
<link rel="prefetch" href="{url}"> <iframe name="urlencoded" src="{url}"></iframe>
<iframe name="plain"></iframe> <iframe name="multipart"></iframe>
<form method="post" action="{url}" target="urlencoded"><input name="x" value="y"></form>
<form method="post" action="{url}" target="plain" enctype="text/plain">
<input name='{{"scope":"all","x":"' value='"}}'></form>
<form method="post" action="{url}" target="multipart" enctype="multipart/form-data"></form>
<object data="{url}"></object> <video src="{url}"></video>
<script>
async function attack() {{
    const send = (more) => fetch("{url}", {{credentials: "include", ...more}}).catch(() => 0);
    await Promise.all([
        send({{mode: "no-cors"}}),
        send({{mode: "no-cors", method: "POST", body: "{{}}"}}),
        send({{mode: "no-cors", method: "POST", body: new FormData()}}),
        send({{mode: "cors"}}),
        send({{mode: "cors", method: "POST", headers: {{"X-CSRF-TOKEN": "x"}}}}),
        send({{mode: "cors", method: "DELETE"}}),
    ]);
    navigator.sendBeacon("{url}", "x");
    for (const form of document.forms) form.submit();
}}
</script>
"""


def soajs_key(server: Server) -> dict[str, str]:
    return {"key": str(server.demo()["soajs_key"])}


def everywhere_in(person: BrowserContext, server: Server) -> dict[str, bool]:
    """Whether the cookie of each wire that has one still counts."""
    device = person.request.get(f"{server.url}/api/whoami")
    key = soajs_key(server)
    urac = person.request.get(
        f"{server.url}/urac/account/getUser", params={"username": "john"}, headers=key
    )
    return {
        "elvis": still_in(person, server),
        "multitech": "token" in cookies(person) and device.status == 200,
        "soajs": "soajsID" in cookies(person) and urac.json()["result"] is True,
    }


def into_everywhere(person: BrowserContext, server: Server) -> Page:
    page, _ = logged_in(person, server)
    person.request.get(f"{server.url}/api/login?{JOHN}")
    person.request.post(
        f"{server.url}/urac/login",
        headers=soajs_key(server),
        form={"username": "john", "password": "johnpassword"},
    )
    assert all(everywhere_in(person, server).values())
    return page


def test_another_site_cannot_log_anybody_out(
    person: BrowserContext, server: Server, site: Elsewhere
) -> None:
    page = into_everywhere(person, server)
    before = len(server.events("request"))

    def seen() -> set[str]:
        return {str(line["path"]) for line in server.events("request")[before:]}

    for route in ROUTES:
        site.page = ATTACK.format(url=f"{server.url}{route}")
        page.goto(f"{site.url}/attack", wait_until="domcontentloaded")
        page.evaluate("attack()")
        with suppress(PlaywrightError):
            page.wait_for_load_state("networkidle", timeout=1_000)
        assert all(everywhere_in(person, server).values()), route
    some = {"/logout", "/services/logout", "/api/logout", "/aveksa/command.submit"}
    until(lambda: some <= seen())
    assert all(everywhere_in(person, server).values())


def test_a_form_that_takes_the_whole_page_along_logs_nobody_out(
    person: BrowserContext, server: Server, site: Elsewhere
) -> None:
    page = into_everywhere(person, server)
    for route in ROUTES:
        site.page = f'<form method="post" action="{server.url}{route}"><button>Win</button></form>'
        page.goto(site.url)
        page.get_by_role("button").click()
        page.wait_for_url(f"{server.url}/**")
        assert all(everywhere_in(person, server).values()), route


def test_a_link_from_another_site_logs_nobody_out_of_an_interface(
    person: BrowserContext, server: Server, site: Elsewhere
) -> None:
    page = into_everywhere(person, server)
    for route in ROUTES[2:]:
        site.page = f'<a href="{server.url}{route}">Prize</a>'
        page.goto(site.url)
        page.get_by_role("link").click()
        page.wait_for_url(f"{server.url}/**")
        assert all(everywhere_in(person, server).values()), route


def test_a_link_from_another_site_may_lead_to_the_logout_for_people(
    person: BrowserContext, server: Server, site: Elsewhere
) -> None:
    page, _ = logged_in(person, server)
    site.page = f'<a href="{server.url}/logout">Log out</a>'
    page.goto(site.url)
    page.get_by_role("link").click()
    page.wait_for_url(f"{server.url}/app")
    assert page.title() == "You are logged out"
    assert not still_in(person, server)


def test_looking_ahead_logs_nobody_out(person: BrowserContext, server: Server) -> None:
    page, _ = logged_in(person, server)
    before = len(server.events("request"))
    with page.expect_response("**/logout") as looked:
        page.evaluate(
            """document.head.append(Object.assign(document.createElement("link"),
                {rel: "prefetch", href: "/logout"}))"""
        )
    assert looked.value.status == 503
    until(lambda: len(server.events("request")) > before)
    assert still_in(person, server)


def test_another_site_cannot_log_anybody_in(
    person: BrowserContext, server: Server, site: Elsewhere
) -> None:
    page = person.new_page()
    action = f"{server.url}/services/login?{JOHN}"
    site.page = f'<form method="post" action="{action}"><button>Win</button></form>'
    page.goto(site.url)
    page.get_by_role("button").click()
    page.wait_for_url(f"{server.url}/**")
    assert "authToken" not in cookies(person)
