"""Login bodies: rootless XML from clients that escape, that do not, and that mean harm."""

import contextlib
import time
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.dialects.rsa import RSA
from lastcall.dialects.rsa.login_body import credentials
from lastcall.domain.errors import Invalid
from lastcall.domain.subject import Subject
from tests.rsa.acts import ask, log_in, login_body, text_of
from tests.world import TENANT, World, make_world, subject


async def world_with(password: str) -> World:
    world = await make_world()
    account: Subject = subject("odd", password)
    async with world.env.store.transaction(TENANT) as tx:
        await tx.add_subject(account)
    return world


def read(text: str) -> dict[str, str]:
    return credentials(text.encode())


@pytest.mark.parametrize(
    "body",
    [
        "<username>john</username><password>p</password>",
        "<password>p</password><username>john</username>",
        "\ufeff\r\n <username>john</username>\n\t<password>p</password>\n",
        '<?xml version="1.0" encoding="UTF-8"?><username>john</username><password>p</password>',
        "<login><username>john</username><password>p</password></login>",
        "<username>john</username><other>x</other><password>p</password>",
        "<username type='x'>john</username><password><![CDATA[p]]></password>",
        "<!-- who --><username>jo<!-- h -->hn</username><password>&#112;</password>",
    ],
)
def test_shapes_of_a_login(body: str) -> None:
    assert read(body) == {"username": "john", "password": "p"}


def test_the_authsource_may_be_beside_them() -> None:
    assert read("<authsource>ldap</authsource>") == {"authsource": "ldap"}


@pytest.mark.parametrize(
    "password",
    ["a&b", "a<b", "a&&b;", "&", "<", "<<>>", "a&nbsp;b", "]]>", "<b>", "</x>", "a&#xD800;", "é&"],
)
async def test_a_password_sent_as_it_is_logs_in(password: str) -> None:
    world = await world_with(password)
    assert (await log_in(world, "odd", password)).startswith("ws")


@pytest.mark.parametrize(
    "password", ["a&b", "a<b>", "&amp;", "\"'", "ünï😀", " two  spaces ", "]]>"]
)
async def test_a_password_sent_escaped_logs_in(password: str) -> None:
    world = await world_with(password)
    assert (await log_in(world, "odd", escape(password))).startswith("ws")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/xml",
        "text/xml",
        "text/plain",
        "",
        "multipart/form-data",
        "é",
    ],
)
async def test_the_content_type_says_nothing(content_type: str) -> None:
    world = await make_world()
    reply = await world.ask(
        RSA,
        "POST",
        "/aveksa/command.submit?cmd=loginUser",
        headers={"Content-Type": content_type},
        body=login_body("john", "johnpassword"),
    )
    assert reply.body.startswith(b"token=ws")


BILLION_LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY a{n + 1} "{f"&a{n or str()};" * 10}">' for n in range(9))
    + "]><username>&a9;</username><password>x</password>"
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><username>&f;</username>'


@pytest.mark.parametrize(
    "body",
    [
        BILLION_LAUGHS,
        OUTSIDE,
        '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><username>john</username>',
        '<?xml version="1.0"?><!DOCTYPE x []><username>john</username><password>x</password>',
        "<username>john<!DOCTYPE x></username><password>x</password>",
        "<username>john</username><username>admin</username><password>x</password>",
        "<username>john</username><password>a</password><password>b</password>",
        "<username>john</username><username>&</username><password>x</password>",
        "<username><b>john</b></username><password>x</password>",
        "<username>jo\0hn</username><password>x</password>",
        "<username>john</username><password>\x1b[31m</password>",
    ],
)
async def test_what_is_refused_before_anything_is_tried(body: str) -> None:
    with pytest.raises(Invalid):
        read(body)
    reply = await ask(await make_world(), "loginUser", body=body.encode())
    assert reply.status == 412
    assert "root:" not in reply.body.decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"username":"john","password":"johnpassword"}',
        b"username=john&password=johnpassword",
        b"<username>john",
        b"<username>john</username",
        b"<username>john</username><password>johnpassword",
        b"<username/><password/>x</password>",
        b'<username xmlns="x">john</username>',
        b"<?xml",
        b"<",
        b"&",
        b"\xff\xfe<\0u\0",
        "<username>jürgen</username>".encode("latin-1"),
    ],
)
async def test_a_body_without_credentials_is_told_so(body: bytes) -> None:
    reply = await ask(await make_world(), "loginUser", body=body)
    assert reply.status in (401, 412)
    assert "johnpassword" not in text_of(reply)


@given(st.binary(max_size=300))
def test_no_body_is_too_odd(body: bytes) -> None:
    with contextlib.suppress(Invalid):
        credentials(body)


PIECES = ["<username>", "</username>", "<password>", "</password>", "<", "&", "a", "<!--", "]]>"]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_no_order_of_pieces_is_too_odd(pieces: list[str]) -> None:
    with contextlib.suppress(Invalid):
        read("".join(pieces))


@pytest.mark.parametrize(
    "body",
    [
        "<a>" * 100_000,
        "<a>" * 100_000 + "</a>" * 100_000,
        "<username>" * 50_000,
        "<password>&" + "</passwor" * 50_000,
        "<!--" * 100_000,
        "<username>" + "a" * 500_000 + "</username>",
        "&#1;" * 100_000,
        "<a " + "".join(f"b{n}='' " for n in range(30_000)) + ">",
    ],
)
def test_size_is_no_weapon(body: str) -> None:
    start = time.process_time()
    with contextlib.suppress(Invalid):
        read(body)
    assert time.process_time() - start < 6
