"""Section H: text that would be markup, a header, a key or a query somewhere down the line."""

import json
import re
from dataclasses import replace
from time import process_time
from urllib.parse import quote

import pytest

from lastcall.dialects import DIALECTS
from lastcall.domain.types import SubjectId
from tests.access.driving import PASSWORD, Answer, Ask, Wire, alive, make_crowd, named, peer
from tests.access.wires import NATIVE, ROCKETCHAT, RSA, WIRES, rocketchat

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES, ids=named)
WHO = peer("monitor-a")

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "javascript:alert(1)",
    "a\r\nSet-Cookie: evil=1",
    "a\nX-Evil: 1",
    "%0d%0aX-Evil:%201",
    "\u560d\u560aX-Evil: 1",
    "a\x00b",
    "\u2028\u2029",
    "\u202e\u2066",
    "\x1b[31mred\x1b[0m",
    "' OR '1'='1' --",
    '{"$gt":""}',
    "*)(uid=*))(|(uid=*",
    "=cmd|' /C calc'!A0",
    "(a+)+$",
    "../../../../etc/passwd",
    "\ud7ff\ue000\ufffd",
    "\U0001f512" * 100,
    "x" * 20_000,
)
EACH = pytest.mark.parametrize("text", NASTY, ids=lambda text: repr(text)[:20])

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MARKUP = re.compile(rb"<script>alert|<img src=x|<svg/onload|49\$|X-Evil: 1\r?\n", re.IGNORECASE)


def fit(answer: Answer) -> None:
    """What must be true of every answer, whatever it was asked."""
    reply = answer.reply
    kind = ""
    for name, value in reply.headers:
        assert not CONTROL.search(name + value), (name, value)
        value.encode("latin-1")
        if name.lower() == "content-type":
            kind = value
        assert name.lower() not in ("x-evil", "evil")
    if "json" in kind:
        json.loads(reply.body)
    if "html" in kind:
        assert "charset=" in kind.lower()
        assert not MARKUP.search(reply.body), reply.body


@EVERY_WIRE
async def test_credentials_are_only_ever_data(wire: Wire) -> None:
    """H93, H94, H96, H100, H102: as a name, as a password, as both."""
    for text in NASTY:
        world = await make_crowd()
        for name, password in ((text, PASSWORD), (WHO.username, text), (text, text)):
            ask = wire.login(replace(WHO, username=name), password)
            fit(await wire.send(world, ask))
            fit(await wire.send(world, replace(ask, target=_quoted(ask.target, text))))
        assert await world.env.store.live_sessions() == 0


def _quoted(target: str, text: str) -> str:
    glue = "&" if "?" in target else "?"
    quoted = quote(text, safe="")
    return f"{target}{glue}{quoted}={quoted}&callback={quoted}&format={quoted}&cmd={quoted}"


@EVERY_WIRE
async def test_tokens_are_only_ever_data(wire: Wire) -> None:
    """H93, H100: in the place of everything a login gave."""
    world = await make_crowd()
    held = await wire.enter(world, WHO)
    for text in NASTY:
        sent = quote(text, safe="") if wire.cookie else text
        shown = dict.fromkeys(held.shown, sent)
        for ask in (wire.check(shown, WHO), wire.logout(shown, WHO)):
            if any(CONTROL.search(value) for value in ask.headers.values()):
                continue  # no server lets these into a header
            fit(await wire.send(world, ask))
    assert await alive(world, held)


@EACH
async def test_paths_are_only_ever_data(text: str) -> None:
    """H93: below every prefix, whatever answers there."""
    world = await make_crowd()
    for dialect in DIALECTS:
        wire = next(wire for wire in WIRES if wire.dialect == dialect.name)
        for prefix in dialect.prefixes:
            ask = Ask("GET", f"{prefix.rstrip('/')}/{quote(text, safe='')}")
            answer = await wire.send(world, ask)
            fit(answer)
            assert not answer.granted, answer


@EACH
@pytest.mark.parametrize("wire", [NATIVE, ROCKETCHAT], ids=named)
async def test_a_user_agent_is_only_ever_data(wire: Wire, text: str) -> None:
    """H97, H99: kept, listed and shown; never more than its first 512 characters."""
    world = await make_crowd()
    ask = wire.login(WHO, PASSWORD)
    agent = {"User-Agent": text}
    answer = await wire.send(world, replace(ask, headers={**ask.headers, **agent}))
    fit(answer)
    where = {"native": "/v1/sessions", "rocketchat": "/api/v1/sessions/list"}[wire.dialect]
    listing = replace(wire.check(wire.learn(answer.reply), WHO), target=where)
    listed = await wire.send(world, listing)
    fit(listed)
    assert listed.granted
    assert len(listed.reply.body) < 4_000


ODD_NAMES = ("<b>bold</b>", "a=b", "a\nb=c", 'a"b', "a,b", "#a", "a\\", "\u00e4\u4e2d", "a;b")


@pytest.mark.parametrize("name", ODD_NAMES)
@EVERY_WIRE
async def test_an_account_with_an_odd_name_is_still_only_data(wire: Wire, name: str) -> None:
    """H94, H97: where a name is shown it stands for itself and adds no key."""
    world = await make_crowd()
    who = replace(WHO, id=SubjectId("u-odd"), username=name)
    async with world.env.store.transaction(who.tenant) as tx:
        await tx.add_subject(who)
    answer, shown = await wire.try_login(world, who)
    fit(answer)
    if not shown:
        return  # a body or address of this wire cannot carry the name
    checked = await wire.send(world, wire.check(shown, who))
    fit(checked)
    if b"result" in checked.reply.body and wire.dialect == "multitech":
        assert json.loads(checked.reply.body)["result"]["user"] == name
    fit(await wire.send(world, wire.logout(shown, who)))


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {after} "{f"&{before};" * 10}">'
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><username>&i;</username><password>x</password>"
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><username>&e;</username>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><username>a</username>',
        "<username>" * 10_000,
        "<a>" * 100_000,
        "<username>" + "&amp;" * 100_000 + "</username><password>x</password>",
        "<username xmlns:x='y' x:a='b'>a</username><password><![CDATA[x]]></password>",
        "<username>a</username><password>x</password><username>monitor-a</username>",
    ],
    ids=lambda body: body[:24],
)
async def test_xml_is_not_expanded_fetched_or_dug_into(body: str) -> None:
    """H103."""
    world = await make_crowd()
    started = process_time()
    ask = Ask("POST", "/aveksa/command.submit?cmd=loginUser", {}, body.encode())
    answer = await RSA.send(world, ask)
    assert process_time() - started < 6
    assert not answer.granted
    assert b"root:" not in answer.reply.body
    fit(answer)


@EVERY_WIRE
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"username":"\xff\xfe"}',
        b"\xff\xfe\x00\x01",
        b'{"username":1e999,"password":-0}',
        b'{"username":"\\ud800","password":"\\udfff"}',
        b"null",
        b"0",
        b'"text"',
        b"\xef\xbb\xbf{}",
        b"{" + b",".join(b'"k%d":0' % number for number in range(5_000)) + b"}",
    ],
    ids=lambda body: repr(body[:16]),
)
async def test_a_body_that_makes_no_sense_is_refused(wire: Wire, body: bytes) -> None:
    """H100, K128: and quickly; nothing is begun."""
    world = await make_crowd()
    ask = wire.login(WHO, PASSWORD)
    if not ask.body:
        ask = replace(ask, method="POST", target=ask.target.partition("?")[0])
    started = process_time()
    answer = await wire.send(world, replace(ask, body=body))
    assert process_time() - started < 6
    assert await world.env.store.live_sessions() == 0
    fit(answer)


async def test_a_filter_is_a_text_not_a_pattern() -> None:
    """H100 (ReDoS): it is looked for as it stands, and for no longer than that takes."""
    world = await make_crowd()
    held = await ROCKETCHAT.enter(world, peer("admin-a"))
    headers = rocketchat(held.shown)
    for text in (".*", "(a+)+$", "(" * 50, "[", "\\", "%", "_", "'; DROP TABLE sessions; --"):
        started = process_time()
        ask = Ask("GET", f"/api/v1/sessions/list?filter={quote(text)}", headers)
        answer = await ROCKETCHAT.send(world, ask)
        assert process_time() - started < 4
        assert held.session.encode() not in answer.reply.body, text
    token = (await NATIVE.enter(world, peer("admin-a"))).token
    ask = Ask("GET", "/v1/sessions?text=.*", {"Authorization": f"Bearer {token}"})
    assert json.loads((await NATIVE.send(world, ask)).reply.body)["total"] == 0
