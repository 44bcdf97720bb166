"""Error pages and properties: nothing a caller sends becomes markup, a key, or a secret told."""

import html
from html.parser import HTMLParser
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.dialects.rsa import RSA
from lastcall.dialects.rsa.layout import escaped, lines, page, refuse
from lastcall.dialects.rsa.settings import Settings
from lastcall.domain.errors import (
    AuthorityError,
    Busy,
    Conflict,
    Denied,
    LockedOut,
    StoreUnavailable,
    Superseded,
)
from lastcall.domain.types import Duration
from lastcall.wire import Reply, TooLarge, TooSlow
from tests.rsa.acts import ask, login_body, text_of
from tests.world import make_world

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title></body><script>alert(1)</script>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<!--<script>",
    "javascript:alert(1)",
    "\0<script>",
    "\r\nContent-Type: text/html\r\n\r\n<script>",
    "\u2028\u2029\u202e<b>",
    "\uff1cscript\uff1e",
    "&lt;script&gt;&#60;script&#62;",
    "\udc3cscript>",
    "é" * 5_000,
    "<" * 20_000,
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag if not attrs else f"{tag} {attrs}")

    def handle_comment(self, data: str) -> None:
        self.seen.append("comment")


def judge(reply: Reply) -> None:
    """A page with the four tags every page has, for a browser that must not guess."""
    parser = Tags()
    parser.feed(reply.body.decode("utf-8"))
    parser.close()
    assert parser.seen == ["html", "head", "title", "body"]
    assert len(reply.body) < 20_000
    headers = dict(reply.headers)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert all(letter.isprintable() or letter == "\n" for letter in reply.body.decode())


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("coded", [True, False])
async def test_nothing_reflected_is_markup(nasty: str, coded: bool) -> None:
    world = await make_world()
    text = quote(nasty, errors="surrogatepass") if coded else nasty
    for target in (
        f"/aveksa/command.submit?cmd={text}",
        f"/aveksa/command.submit?cmd=loginUser&format={text}",
        f"/aveksa/command.submit?cmd=loginUser&authsource={text}",
        f"/aveksa/command.submit?cmd=keepAlive&token={text}",
        f"/aveksa/command.submit?cmd=keepAlive&{text}",
        f"/aveksa/command.submit?cmd=keepAlive&{text}=1",
        f"/aveksa/{text}",
    ):
        reply = await world.ask(RSA, "POST", target, body=login_body("john", "wrong"))
        assert 400 <= reply.status < 500
        judge(reply)


@pytest.mark.parametrize("nasty", NASTY)
async def test_header_and_body_are_not_reflected_at_all(nasty: str) -> None:
    world = await make_world()
    for command in ("loginUser", "logoutUser", "keepAlive", nasty):
        reply = await world.ask(
            RSA,
            "POST",
            f"/aveksa/command.submit?cmd={quote(command, errors='surrogatepass')}",
            headers={"Authorization": f"Bearer {nasty}", "Content-Type": nasty},
            body=b"<username>" + nasty.encode("utf-8", "replace") + b"</username>",
        )
        judge(reply)


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "query",
    [
        f"token={SECRET}",
        f"%74oken={SECRET}",
        f"TOKEN={SECRET}",
        f"token%3d{SECRET}",
        f"+token={SECRET}",
        f"password={SECRET}",
        SECRET,
        f"{SECRET}=",
        f"={SECRET}",
        f"token={SECRET}={SECRET}",
        f"&&token={SECRET}&",
        f"token={SECRET}&token={SECRET}",
        "x=" + "a" * 1015 + f"&token={SECRET}",
    ],
)
async def test_no_secret_is_repeated(query: str) -> None:
    world = await make_world()
    for command in ("loginUser", "keepAlive", "logoutUser", "getSecuritySettings", "what", ""):
        reply = await ask(world, command, query, body=login_body("john", SECRET))
        assert SECRET not in unquote(html.unescape(reply.body.decode()))


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            LockedOut("address", retry_after=Duration(1_001), by="address"),
            401,
            (
                "User could not be validated. The username or password may be incorrect."
                " Query String=cmd=loginUser"
            ),
        ),
        (
            Superseded(),
            401,
            (
                "User could not be validated. The username or password may be incorrect."
                " Query String=cmd=loginUser"
            ),
        ),
        (Denied("secret"), 401, "The token is not valid for the command 'loginUser'. "),
        (Conflict("secret"), 409, "The user has too many sessions. Query String=cmd=loginUser"),
        (Busy("secret"), 503, "The server cannot answer at the moment."),
        (StoreUnavailable("secret"), 503, "The server cannot answer at the moment."),
        (AuthorityError("secret"), 500, "The server failed."),
        (TooLarge(), 413, "The body is too large. Query String=cmd=loginUser"),
        (TooSlow(), 408, "The body did not arrive in time. Query String=cmd=loginUser"),
    ],
)
async def test_refusals_no_conversation_meets(
    error: AuthorityError, status: int, message: str
) -> None:
    world = await make_world()
    reply = refuse(world.call(RSA, "POST", "/aveksa/command.submit?cmd=loginUser"), error)
    assert (reply.status, text_of(reply)) == (status, message)
    waits = isinstance(error, LockedOut | Busy)
    assert ("Retry-After" in dict(reply.headers)) == waits


async def test_a_locked_name_reads_like_a_wrong_password() -> None:
    world = await make_world()
    answers = []
    for name in ("john", "nobody"):
        for _ in range(12):
            reply = await ask(world, "loginUser", body=login_body(name, "wrong"))
            answers.append((reply.status, text_of(reply)))
    assert len(set(answers)) == 1
    assert dict(reply.headers)["Retry-After"] == "300"


def java_properties(text: str) -> dict[str, str]:
    """As Java reads `key=value` lines; enough of it for what is written here."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        assert equals
        found[key] = (
            value.encode("ascii").decode("unicode_escape").encode("utf-16", "surrogatepass")
        ).decode("utf-16")
    return found


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_value_adds_a_line_or_a_key(value: str) -> None:
    written = lines({"instructions": value, "username-label": "User Name"}).body.decode()
    assert len(written.splitlines()) == 2
    assert java_properties(written) == {"instructions": value, "username-label": "User Name"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a\nb=c", "a\\nb=c"),
        ("a\r\nb", "a\\r\\nb"),
        ("#a,b!c:d", "#a,b!c:d"),
        ("\\u0041\\", "\\\\u0041\\\\"),
        ("\x85\u2028\x0b", "\\u0085\\u2028\\u000b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_how_values_are_written(value: str, written: str) -> None:
    assert escaped(value) == written


def test_a_page_survives_any_text() -> None:
    assert page(400, "\ud800").body.isascii()


def test_minutes_are_the_products_own() -> None:
    settings = Settings()
    assert settings.longest_life == 120 * 60_000
    assert settings.lifetime.idle == 10 * 60_000
