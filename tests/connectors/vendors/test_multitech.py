"""MultiTech: the device's own words, addresses its tokens are bound to, and whom it may end."""

import pytest

from lastcall.connectors import CONNECTORS
from lastcall.domain.delivery import Outcome
from lastcall.outward import Answer, NoAnswer, Told
from tests.connectors.making import notice, target
from tests.connectors.vendors.places import ELSEWHERE, HERE, inside
from tests.connectors.vendors.script import Script, said
from tests.connectors.vendors.vendors import MULTITECH, PASSWORDS
from tests.fakes import FakeSigner

TOKEN = "B7083A0B14C0F0BEFFBED89B99EFBC"
PAGE = b"""HTTP
{
    "code" : 200,
    "result" : {
        "address" : "192.168.2.103",
        "permission" : "guest",
        "timestamp" : "2:58:40:389:,
        "token" : "B7083A0B14C0F0BEFFBED89B99EFBC",
        "user" : "%s"
    },
    "status" : "success"
}"""
"""As on the vendor's page, the string left open included."""


async def told(
    *answers: Answer | NoAnswer, sid: str = "", test: bool = False
) -> tuple[Told, Script]:
    script = Script(answers)
    connector = CONNECTORS["multitech"](script, FakeSigner())
    settings = {"url": "https://device.example", "username": "lastcall"}
    aim = target("multitech", settings, {"password": "Service_1234"})
    named = notice(sid=sid, account="monitor")
    return await (connector.test if test else connector.tell)(aim, named), script


async def test_the_answer_on_the_vendors_page_is_a_yes() -> None:
    came, script = await told(said(200, PAGE % b"guest"))
    assert (came.outcome, came.dead) == (Outcome.DONE, None)
    (asked,) = script.asked
    assert (asked.method, asked.url) == ("POST", "https://device.example/api/logout")
    assert asked.body == (
        b'{"username": "lastcall", "password": "Service_1234", "logoutUser": "monitor"}'
    )


async def test_firmware_that_ends_whoever_asks_has_ended_nobody() -> None:
    came, _ = await told(said(200, PAGE % b"lastcall"))
    assert (came.outcome, came.error) == (Outcome.REFUSED, "ended the service user instead")


@pytest.mark.parametrize(
    ("status", "error", "outcome", "reason"),
    [
        (401, "authorize failed. 2 attempts remaining.", Outcome.REFUSED, "credentials refused"),
        (401, "authorize failed. 10 attempts remaining.", Outcome.REFUSED, "credentials refused"),
        (401, "authorize failed. 0 attempts remaining.", Outcome.RETRY, "service user locked out"),
        (403, "forbidden", Outcome.REFUSED, "not permitted there"),
        (404, "not found", Outcome.REFUSED, "no such user there"),
        (409, "conflict", Outcome.RETRY, "conflict"),
        (500, "oops", Outcome.RETRY, "status 500"),
    ],
)
@pytest.mark.parametrize("with_200", [False, True])
async def test_refusals(
    status: int, error: str, outcome: Outcome, reason: str, with_200: bool
) -> None:
    """Also where only the body says so."""
    body = {"code": status, "error": error, "status": "fail"}
    came, _ = await told(said(200 if with_200 else status, body))
    assert (came.outcome, came.error) == (outcome, reason)
    assert came.status == (200 if with_200 else status)


async def test_a_page_that_is_not_there_is_no_unknown_user() -> None:
    came, _ = await told(said(404, b"<html>"), test=True)
    assert (came.outcome, came.error) == (Outcome.REFUSED, "status 404")


async def test_a_session_that_still_counts_afterwards_was_not_ended() -> None:
    came, script = await told(said(200, PAGE % b"monitor"), sid=TOKEN)
    assert (came.outcome, came.dead, came.error) == (Outcome.DONE, False, "still alive")
    assert {one.headers["cookie"] for one in script.asked} == {f"token={TOKEN}"}


async def test_a_session_that_went_in_between_is_seen_dead() -> None:
    gone = said(401, {"code": 401, "error": "unauthorized", "status": "fail"})
    came, _ = await told(said(200, PAGE % b"monitor"), gone, sid=TOKEN)
    assert (came.outcome, came.dead) == (Outcome.DONE, True)


async def test_a_token_of_another_address_proves_nothing_and_the_user_is_ended() -> None:
    place, way = await inside()
    way.address = ELSEWHERE
    login = await MULTITECH.log_in(place, "monitor")
    way.address = HERE
    told_them = await MULTITECH.tell(place, login)
    assert (told_them.outcome, told_them.dead) == (Outcome.DONE, None)
    way.address = ELSEWHERE
    assert not await MULTITECH.alive(place, login)


async def test_nobody_ends_whom_they_do_not_outrank() -> None:
    place, _ = await inside()
    login = await MULTITECH.log_in(place, "admin")
    aim = target(
        "multitech",
        {"url": place.url, "username": "monitor"},
        {"password": PASSWORDS["monitor"]},
    )
    named = notice(sid="", account="admin")
    came = await MULTITECH.made(place).tell(aim, named)
    assert (came.outcome, came.status, came.error) == (Outcome.REFUSED, 403, "not permitted there")
    assert await MULTITECH.alive(place, login)


async def test_wrong_credentials_are_refused_until_the_lock() -> None:
    place, _ = await inside()
    login = await MULTITECH.log_in(place, "monitor")
    came = [await MULTITECH.tell_all(place, login, password="wrong") for _ in range(4)]
    assert [one.outcome for one in came] == [Outcome.REFUSED] * 2 + [Outcome.RETRY] * 2
    assert await MULTITECH.alive(place, login)


async def test_it_logs_nobody_in() -> None:
    place, way = await inside()
    login = await MULTITECH.log_in(place, "monitor")
    way.asked.clear()
    await MULTITECH.tell_all(place, login)
    assert way.asked == [("POST", "/api/logout")]
