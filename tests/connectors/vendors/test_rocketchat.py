"""Rocket.Chat: second factors that count once, and lists that prove only what was on them."""

import asyncio
import hashlib
import json
from collections.abc import Mapping

import pyotp
import pytest

from lastcall.connectors import CONNECTORS
from lastcall.domain.client import Naming
from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration
from lastcall.egress import HttpEgress
from lastcall.outward import Answer, NoAnswer, Told
from tests.connectors.making import Names, notice, target
from tests.connectors.receivers import Exchange, hangs, receiver
from tests.connectors.vendors.places import TOTP_SECRET, Place, inside
from tests.connectors.vendors.script import Script, said
from tests.connectors.vendors.vendors import ROCKETCHAT, Login, told_of
from tests.fakes import EPOCH, FakeSigner

STEP = 30_000
TOTP = {"password": "Totp_1234", "totp_secret": TOTP_SECRET}
PAT = {"token": "pat-1"}


def refusal(kind: str, status: int = 400) -> Answer:
    return said(status, {"success": False, "error": f"No [{kind}]", "errorType": kind})


NEEDED, WRONG = refusal("totp-required"), refusal("totp-invalid")
DONE = said(200, {"sessionId": "sid-1", "success": True})
USER_DONE = said(200, {"message": "User u-9 has been logged out!", "success": True})
GONE = said(404, {"success": False, "error": "Session not found"})


def listing(*rows: Mapping[str, object]) -> Answer:
    return said(200, {"sessions": rows, "total": len(rows), "success": True})


def row(id: str, user: str = "u-9", at: str = "2016-04-01T00:00:00.000Z") -> Mapping[str, object]:
    return {"sessionId": id, "userId": user, "loginAt": at}


async def told(
    *answers: Answer | NoAnswer,
    sid: str = "sid-1",
    secrets: Mapping[str, str] = PAT,
    settings: Mapping[str, str] | None = None,
    test: bool = False,
    naming: Naming = Naming.SID,
) -> tuple[Told, Script]:
    script = Script(answers)
    connector = CONNECTORS["rocketchat"](script, FakeSigner())
    usual = {"url": "https://chat.example", "user_id": "u-1"}
    aim = target("rocketchat", {**usual, **(settings or {})}, secrets, naming=naming)
    assert not connector.problems(aim)
    named = notice(sid=sid, account="u-9")
    return await (connector.test if test else connector.tell)(aim, named), script


def calls(script: Script) -> list[str]:
    return [one.url.removeprefix("https://chat.example/api/v1/") for one in script.asked]


async def test_a_session_is_ended_and_no_longer_shown() -> None:
    came, script = await told(DONE, GONE)
    assert (came.outcome, came.dead) == (Outcome.DONE, True)
    assert calls(script) == ["sessions/logout", "sessions/info.admin?sessionId=sid-1"]
    assert script.asked[0].headers["x-auth-token"] == "pat-1"


@pytest.mark.parametrize(
    ("look", "dead"),
    [
        (said(200, {"sessionId": "sid-1", "success": True}), False),
        (said(200, {"sessionId": "sid-11", "success": True}), None),
        (refusal("error-action-not-allowed"), None),
        (said(404), None),
        (said(401), None),
    ],
)
async def test_what_a_look_tells(look: Answer, dead: bool | None) -> None:
    came, _ = await told(DONE, look)
    assert (came.outcome, came.dead) == (Outcome.DONE, dead)


async def test_a_session_that_is_not_found_proves_nothing() -> None:
    came, script = await told(GONE)
    assert (came.outcome, came.dead, len(script.asked)) == (Outcome.DONE, None, 1)


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (said(401, {"status": "error"}), Outcome.REFUSED, "credentials refused"),
        (said(403, {"success": False}), Outcome.REFUSED, "not permitted there"),
        (
            refusal("error-action-not-allowed"),
            Outcome.REFUSED,
            "no licence for sessions there",
        ),
        (refusal("invalid-params"), Outcome.REFUSED, "status 400"),
        (NEEDED, Outcome.REFUSED, "second factor needed"),
        (said(503), Outcome.RETRY, "status 503"),
    ],
)
async def test_refusals(answer: Answer, outcome: Outcome, error: str) -> None:
    came, _ = await told(answer)
    assert (came.outcome, came.error, came.status) == (outcome, error, answer.status)


async def test_the_rate_limit_says_when_to_come_again() -> None:
    came, _ = await told(said(429, x_ratelimit_reset=str(EPOCH + 42_000)))
    assert (came.outcome, came.retry_after) == (Outcome.RETRY, 42_000)
    for odd in ("", "-1", "soon", "9" * 400, "٣"):
        came, _ = await told(said(429, x_ratelimit_reset=odd))
        assert came.outcome is Outcome.RETRY


async def test_codes_are_given_only_when_asked_for_and_the_next_one_if_used() -> None:
    otp = pyotp.TOTP(TOTP_SECRET)
    now, soon = otp.generate_otp(EPOCH // STEP), otp.generate_otp(EPOCH // STEP + 1)
    came, script = await told(NEEDED, WRONG, DONE, GONE, secrets={**PAT, **TOTP})
    assert (came.outcome, came.dead) == (Outcome.DONE, True)
    codes = [one.headers.get("x-2fa-code", "") for one in script.asked]
    assert codes == ["", now, soon, ""]
    assert script.asked[1].headers["x-2fa-method"] == "totp"


async def test_codes_that_are_all_refused_are_tried_again_in_the_next_half_minute() -> None:
    came, script = await told(NEEDED, WRONG, secrets={**PAT, **TOTP})
    assert (came.outcome, came.error) == (Outcome.RETRY, "second factor refused")
    assert (came.retry_after, len(script.asked)) == (STEP, 4)


async def test_the_password_is_a_second_factor_by_its_digest() -> None:
    came, script = await told(NEEDED, DONE, GONE, secrets={**PAT, "password": "Pw_1"})
    assert (came.outcome, came.dead) == (Outcome.DONE, True)
    assert script.asked[1].headers["x-2fa-code"] == hashlib.sha256(b"Pw_1").hexdigest()
    assert script.asked[1].headers["x-2fa-method"] == "password"
    came, script = await told(NEEDED, WRONG, secrets={**PAT, "password": "Pw_1"})
    assert (came.outcome, came.error) == (Outcome.REFUSED, "second factor refused")
    assert len(script.asked) == 2


async def test_a_user_whose_sessions_vanish_from_the_list_is_out() -> None:
    came, script = await told(listing(row("a")), USER_DONE, listing(), sid="")
    assert (came.outcome, came.dead) == (Outcome.DONE, True)
    assert json.loads(script.asked[1].body) == {"userId": "u-9"}
    came, script = await told(listing(), USER_DONE, listing(), sid="")
    assert (came.outcome, came.dead, len(script.asked)) == (Outcome.DONE, None, 2)


async def test_sessions_that_stay_listed_are_ended_one_by_one() -> None:
    """Servers before 8 list what `users.logout` has ended; what began later is left alone."""
    stay = listing(row("a"), row("b", at="nonsense"))
    other = [row("new", at="2016-05-01T00:00:00.000Z"), row("c", user="u-99")]
    mixed = listing(row("a"), row("b"), *other)
    answers = [stay, USER_DONE, mixed, DONE, DONE, listing(*other)]
    came, script = await told(*answers, sid="")
    assert (came.outcome, came.dead) == (Outcome.DONE, True)
    assert [json.loads(one.body)["sessionId"] for one in script.asked[3:5]] == ["a", "b"]
    came, _ = await told(*answers[:5], stay, sid="")
    assert (came.outcome, came.dead, came.error) == (Outcome.DONE, False, "still alive")
    came, _ = await told(*answers[:5], said(403), sid="")
    assert (came.outcome, came.dead) == (Outcome.DONE, None)


async def test_a_list_that_hangs_keeps_nobody_from_being_logged_out() -> None:
    async def behave(exchange: Exchange) -> None:
        if exchange.seen.method == "GET":
            await hangs(exchange)
        await exchange.reply(200, USER_DONE.body)

    way = HttpEgress(look_up=Names())
    async with receiver(behave) as there:
        settings = {"url": there.url(""), "user_id": "u-1"}
        aim = target("rocketchat", settings, PAT, timeout=Duration(4_000))
        came = await CONNECTORS["rocketchat"](way, FakeSigner()).tell(aim, notice(sid=""))
    await way.close()
    assert (came.outcome, came.dead) == (Outcome.DONE, None)
    assert [one.method for one in there.seen] == ["GET", "POST"]


async def test_the_token_of_the_connector_is_not_thrown_away() -> None:
    came, script = await told(USER_DONE, sid="", settings={"user_id": "u-9"})
    assert (came.outcome, len(script.asked)) == (Outcome.REFUSED, 0)
    assert came.error == "is the administrator whose token is used"


async def test_a_test_names_a_user_where_notices_name_users() -> None:
    _, script = await told(listing(), USER_DONE, test=True, naming=Naming.SUB)
    assert json.loads(script.asked[1].body)["userId"].startswith("lastcall-test-")
    _, script = await told(GONE, test=True)
    assert json.loads(script.asked[0].body)["sessionId"].startswith("lastcall-test-")


def test_problems() -> None:
    connector = CONNECTORS["rocketchat"](Script([]), FakeSigner())
    url = {"url": "https://chat.example"}
    for settings, secrets in (({}, {}), ({"user_id": "u"}, {}), ({"username": "u"}, PAT)):
        assert connector.problems(target("rocketchat", {**url, **settings}, secrets)) == [
            "user_id and token, or username and password: are missing"
        ]
    held = {**PAT, "totp_secret": "not base32!"}
    assert connector.problems(target("rocketchat", {**url, "user_id": "u"}, held)) == [
        "totp_secret: is not base32"
    ]


AS_TOTP = {"username": "totp"}


async def tell_as_totp(place: Place, login: Login, secrets: Mapping[str, str] = TOTP) -> Told:
    aim = target("rocketchat", {"url": place.url, **AS_TOTP}, secrets)
    return await ROCKETCHAT.made(place).tell(aim, told_of(place, login.sid, login.account))


async def test_an_administrator_with_an_app_logs_in_and_gives_the_next_code() -> None:
    place, _ = await inside()
    login = await ROCKETCHAT.log_in(place, "john")
    came = await tell_as_totp(place, login)
    assert (came.outcome, came.dead, came.error) == (Outcome.DONE, True, "")
    assert not await ROCKETCHAT.alive(place, login)


async def test_a_wrong_secret_ends_nobody() -> None:
    place, _ = await inside()
    login = await ROCKETCHAT.log_in(place, "john")
    wrong = {**TOTP, "totp_secret": "A" * 32}
    came = await tell_as_totp(place, login, wrong)
    assert (came.outcome, came.error) == (Outcome.RETRY, "second factor refused")
    assert await ROCKETCHAT.alive(place, login)


async def test_many_errands_share_a_token_and_its_code() -> None:
    place, way = await inside()
    said_them = {"user": "totp", "password": "Totp_1234"}
    code = pyotp.TOTP(TOTP_SECRET).generate_otp(place.now() // STEP)
    answer = await place.ask("POST", "/api/v1/login", members={**said_them, "code": code})
    data = json.loads(answer.body)["data"]
    way.world.clock.advance(2 * STEP)
    logins = [await ROCKETCHAT.log_in(place, user) for user in ("john", "monitor", "engineer")]
    aim = target(
        "rocketchat",
        {"url": place.url, "user_id": data["userId"]},
        {"token": data["authToken"], "totp_secret": TOTP_SECRET},
    )
    made = ROCKETCHAT.made(place)
    came = await asyncio.gather(
        *(made.tell(aim, told_of(place, login.sid, login.account)) for login in logins)
    )
    assert [(one.outcome, one.dead) for one in came] == [(Outcome.DONE, True)] * 3
    assert not any([await ROCKETCHAT.alive(place, login) for login in logins])


async def test_a_login_of_its_own_is_given_back() -> None:
    place, way = await inside()
    login = await ROCKETCHAT.log_in(place, "john")
    way.asked.clear()
    await ROCKETCHAT.tell(place, login)
    assert way.asked[-1] == ("POST", "/api/v1/logout")
    admin = await ROCKETCHAT.log_in(place, "admin")
    headers = {"x-user-id": admin.account, "x-auth-token": admin.token}
    listed = await place.ask("GET", "/api/v1/sessions/list", headers)
    assert json.loads(listed.body)["total"] == 1


async def test_nobody_ends_whom_they_do_not_outrank() -> None:
    place, _ = await inside()
    login = await ROCKETCHAT.log_in(place, "admin")
    aim = target(
        "rocketchat", {"url": place.url, "username": "monitor"}, {"password": "Monitor_1234"}
    )
    made = ROCKETCHAT.made(place)
    for sid in (login.sid, ""):
        came = await made.tell(aim, told_of(place, sid, login.account))
        assert (came.outcome, came.error) == (Outcome.REFUSED, "not permitted there")
    assert await ROCKETCHAT.alive(place, login)


async def test_wrong_credentials_are_refused_once() -> None:
    place, way = await inside()
    login = await ROCKETCHAT.log_in(place, "john")
    way.asked.clear()
    came = await ROCKETCHAT.tell(place, login, password="wrong")
    assert (came.outcome, came.error, len(way.asked)) == (
        Outcome.REFUSED,
        "credentials refused",
        1,
    )
