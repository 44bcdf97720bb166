"""SOAJS: handles to which everything is a success, and deletions that delete nothing."""

import json
from base64 import b64encode
from collections.abc import Mapping

import pytest

from lastcall.connectors import CONNECTORS
from lastcall.dialects.soajs.handles import sid_of
from lastcall.domain.delivery import Outcome
from lastcall.outward import Answer, NoAnswer, Told
from tests.connectors.making import notice, target
from tests.connectors.vendors.places import inside
from tests.connectors.vendors.script import Script, said
from tests.connectors.vendors.vendors import OAUTH, OAUTH_TOKENS, PASSWORDS, URAC, Login
from tests.fakes import FakeSigner

SID = "5qV531n-sWQB6UViIh1vhdoZNypJ5tXt"
DONE = said(200, {"result": True, "data": True, "soajsauth": "Basic eA=="})
RECORD = said(200, {"result": True, "data": {"username": "john"}})
GRANT = said(200, {"access_token": "own-1", "refresh_token": "own-2"})
OAUTH_SETTINGS = {"api": "oauth", "tenant": "t-1", "username": "lastcall"}
OAUTH_SECRETS = {"secret": "shh", "password": "Service_1234"}


def fault(code: int, status: int = 200) -> Answer:
    details = [{"code": code, "message": "whatever"}]
    return said(status, {"result": False, "errors": {"codes": [code], "details": details}})


async def told(
    *answers: Answer | NoAnswer,
    sid: str = SID,
    settings: Mapping[str, str] | None = None,
    test: bool = False,
) -> tuple[Told, Script]:
    script = Script(answers)
    connector = CONNECTORS["soajs"](script, FakeSigner())
    secrets = {"key": "k-1", **(OAUTH_SECRETS if settings else {})}
    aim = target("soajs", {"url": "https://api.example", **(settings or {})}, secrets)
    assert not connector.problems(aim)
    named = notice(sid=sid, account="57063608622c47b5c097d19b")
    return await (connector.test if test else connector.tell)(aim, named), script


@pytest.mark.parametrize(
    "sid", [SID, "Basic c29hanM6QzAzNXFWNTNVbi1zV1FpNjFWQkloMXZoZG9aTnlwSjV0WHQ="]
)
async def test_the_handle_means_the_session_however_it_was_stored(sid: str) -> None:
    _, script = await told(DONE, sid=sid)
    assert {sid_of(one.headers["soajsauth"]) for one in script.asked[:2]} == {SID}
    assert {one.headers["key"] for one in script.asked} == {"k-1"}


@pytest.mark.parametrize(
    ("looks", "dead"),
    [
        ([fault(161, 500)], True),
        ([fault(158, 500)], True),
        ([fault(161)], True),
        ([fault(157, 500)], False),
        ([fault(160)], False),
        ([RECORD, fault(161, 500)], False),
        ([fault(405), fault(158, 500)], False),
        ([RECORD, RECORD], None),
        ([fault(405), fault(405)], None),
        ([fault(172)], None),
        ([fault(133)], None),
        ([said(200)], None),
        ([NoAnswer("timeout", sent=True)], None),
        ([RECORD, NoAnswer("timeout", sent=True)], None),
    ],
    ids=str,
)
async def test_what_a_look_with_the_handle_tells(
    looks: list[Answer | NoAnswer], dead: bool | None
) -> None:
    """Where anybody gets through without a login, getting through is no sign of one."""
    came, _ = await told(DONE, *looks)
    assert (came.outcome, came.dead) == (Outcome.DONE, dead)


@pytest.mark.parametrize(
    ("code", "outcome", "error"),
    [
        (130, Outcome.REFUSED, "no such service there"),
        (132, Outcome.REFUSED, "key refused"),
        (153, Outcome.REFUSED, "key refused"),
        (151, Outcome.REFUSED, "no such call there"),
        (157, Outcome.REFUSED, "not permitted there"),
        (404, Outcome.REFUSED, "no such user there"),
        (999, Outcome.REFUSED, "refused there"),
        (133, Outcome.RETRY, "not answering there"),
        (134, Outcome.RETRY, "not answering there"),
        (163, Outcome.RETRY, "not answering there"),
        (161, Outcome.DONE, ""),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
async def test_codes(code: int, outcome: Outcome, error: str, status: int) -> None:
    came, _ = await told(fault(code, status))
    assert (came.outcome, came.error, came.status) == (outcome, error, status)


async def test_a_server_of_1_x_knows_no_handles() -> None:
    place, way = await inside()
    login = await URAC.log_in(place, "john")
    way.settings["soajs"] = {**way.settings["soajs"], "compat": "1.x"}
    came = await URAC.tell(place, login)
    assert (came.outcome, came.error) == (Outcome.REFUSED, "no such call there")


async def test_a_wrong_key_is_refused() -> None:
    place, _ = await inside()
    login = await URAC.log_in(place, "john")
    came = await URAC.tell(place, login, key="no key")
    assert (came.outcome, came.error) == (Outcome.REFUSED, "key refused")
    assert await URAC.alive(place, login)


async def test_to_have_deleted_nothing_is_no_success_unless_the_server_is_trusted() -> None:
    nothing = said(200, {"result": True, "data": {"ok": 1, "n": 0}})
    came, _ = await told(GRANT, nothing, sid="", settings=OAUTH_SETTINGS)
    assert (came.outcome, came.error) == (Outcome.REFUSED, "ended nothing")
    trusting = {**OAUTH_SETTINGS, "trust_zero": "yes"}
    came, _ = await told(GRANT, nothing, sid="", settings=trusting)
    assert (came.outcome, came.dead) == (Outcome.DONE, None)
    came, _ = await told(GRANT, nothing, sid="", settings=OAUTH_SETTINGS, test=True)
    assert came.outcome is Outcome.DONE


@pytest.mark.parametrize("data", [{"ok": 1, "n": 3}, 3])
async def test_tokens_of_a_user_are_deleted_and_none_is_left_behind(data: object) -> None:
    script = [GRANT, said(200, {"result": True, "data": data})]
    came, done = await told(*script, sid="", settings=OAUTH_SETTINGS)
    assert (came.outcome, came.error) == (Outcome.DONE, "")
    assert [(one.method, one.url.removeprefix("https://api.example")) for one in done.asked] == [
        ("POST", "/oauth/token"),
        ("DELETE", "/oauth/tokens/user/57063608622c47b5c097d19b"),
        ("DELETE", "/oauth/refreshToken/own-2"),
        ("DELETE", "/oauth/accessToken/own-1"),
    ]
    assert {one.headers["authorization"] for one in done.asked[1:]} == {"Bearer own-1"}


async def test_of_one_login_the_refresh_token_goes_first() -> None:
    deleted = said(200, {"result": True, "data": {"ok": 1, "n": 1}})
    came, done = await told(
        GRANT, deleted, deleted, fault(401), sid="a-1|r-1", settings=OAUTH_SETTINGS
    )
    assert (came.outcome, came.dead) == (Outcome.DONE, True)
    assert [one.url.rpartition("/")[2] for one in done.asked[1:4]] == ["r-1", "a-1", "a-1"]
    assert done.asked[3].headers["authorization"] == "Bearer a-1"
    came, _ = await told(GRANT, deleted, sid="a-1|r-1", settings=OAUTH_SETTINGS)
    assert (came.dead, came.error) == (False, "still alive")


@pytest.mark.parametrize("code", [400, 401, 403, 413, 503])
async def test_a_service_user_that_cannot_log_in(code: int) -> None:
    came, script = await told(fault(code, 500), sid="", settings=OAUTH_SETTINGS)
    assert (came.outcome, came.error) == (Outcome.REFUSED, "credentials refused")
    assert len(script.asked) == 1


async def test_a_lost_answer_to_the_login_has_ended_nothing() -> None:
    with pytest.raises(NoAnswer) as lost:
        await told(NoAnswer("timeout", sent=True), sid="", settings=OAUTH_SETTINGS)
    assert not lost.value.sent
    with pytest.raises(NoAnswer) as lost:
        await told(GRANT, NoAnswer("timeout", sent=True), sid="", settings=OAUTH_SETTINGS)
    assert lost.value.sent


async def test_a_service_user_of_low_rank_ends_nothing_and_that_shows() -> None:
    place, _ = await inside()
    login = await OAUTH_TOKENS.log_in(place, "admin")
    aim = OAUTH_TOKENS.target(place, password=PASSWORDS["monitor"])
    low = target("soajs", {**aim.client.settings, "username": "monitor"}, dict(aim.secrets))
    named = notice(sid="", account=login.account)
    came = await OAUTH_TOKENS.made(place).tell(low, named)
    assert (came.outcome, came.error) == (Outcome.REFUSED, "ended nothing")
    assert await OAUTH_TOKENS.alive(place, login)


async def test_the_refresh_token_is_dead_as_well() -> None:
    place, _ = await inside()
    login = await OAUTH_TOKENS.log_in(place, "john")
    pair = b64encode(f"{OAUTH['id']}:{OAUTH['oauth_secret']}".encode()).decode()
    headers = {"key": place.soajs_key, "authorization": f"Basic {pair}"}
    refresh = {"grant_type": "refresh_token", "refresh_token": login.sid.partition("|")[2]}
    renewed = await place.ask("POST", "/oauth/token", headers, refresh)
    assert renewed.status == 200
    grant = json.loads(renewed.body)
    sid = f"{grant['access_token']}|{grant['refresh_token']}"
    await OAUTH_TOKENS.tell(place, Login(token="", sid=sid, account=""))
    refresh["refresh_token"] = grant["refresh_token"]
    assert (await place.ask("POST", "/oauth/token", headers, refresh)).status == 500


def test_problems() -> None:
    connector = CONNECTORS["soajs"](Script([]), FakeSigner())
    aim = target("soajs", {"url": "https://a.example", "api": "oauth"}, {"key": "k"})
    assert list(connector.problems(aim)) == [
        f"{name}: is missing" for name in ("tenant", "secret", "username", "password")
    ]
    odd = {"url": "https://a.example", "api": "soap", "trust_zero": "perhaps"}
    assert len(connector.problems(target("soajs", odd, {"key": "k"}))) == 2
