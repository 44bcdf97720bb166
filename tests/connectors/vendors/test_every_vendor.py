"""What holds for all five: time, lost answers, liars, secrets, settings."""

import pytest

from lastcall.connectors import CONNECTORS
from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Duration
from lastcall.outward import Answer, Connector, NoAnswer, Notice, Target, Told, unanswered
from tests.connectors.making import notice, target
from tests.connectors.vendors.script import Script, said
from tests.fakes import FakeSigner

URL = "https://there.example/base/"
TOKEN = "B7083A0B14C0F0BEFFBED89B99EFBC01"

SERVICE = {"username": "lastcall"}
PASSWORD = {"password": "Service_1234"}


CASES: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "multitech": ("", SERVICE, PASSWORD),
    "soajs": (TOKEN, {}, {"key": "k-1"}),
    "elvis": (TOKEN, {}, {}),
    "rsa": (TOKEN, {}, {}),
    "rocketchat": ("sid-1", {"user_id": "u-1"}, {"token": "pat-1", **PASSWORD}),
}
YES: dict[str, Answer] = {
    "multitech": said(200, b'{ "code" : 200, "status" : "success" }'),
    "soajs": said(200, {"result": True, "data": True}),
    "elvis": said(200, {"logoutSuccess": True, "username": "john"}),
    "rsa": said(200, {"data": {"type": "logoutUser"}}),
    "rocketchat": said(200, {"sessionId": "sid-1", "success": True}),
}

every = pytest.mark.parametrize("name", CASES)


def aim(name: str, **more: object) -> Target:
    _, settings, secrets = CASES[name]
    return target(name, {"url": URL, **settings}, secrets, **more)


def word(name: str) -> Notice:
    return notice(sid=CASES[name][0])


def made(name: str, script: Script) -> Connector:
    return CONNECTORS[name](script, FakeSigner())


async def told(name: str, *answers: Answer | NoAnswer) -> tuple[Told, Script]:
    script = Script(answers)
    try:
        return await made(name, script).tell(aim(name), word(name)), script
    except NoAnswer as error:
        return unanswered(error), script


@every
async def test_a_yes_in_the_vendors_words_is_done(name: str) -> None:
    came, script = await told(name, YES[name], said(500))
    assert (came.outcome, came.status, came.error, came.dead) == (Outcome.DONE, 200, "", None)
    assert all(one.url.startswith("https://there.example/base/") for one in script.asked)
    assert not any("base//" in one.url for one in script.asked)


@every
@pytest.mark.parametrize(
    "answer",
    [
        said(200),
        said(204),
        said(202, b"queued"),
        said(200, b"<html>Welcome</html>"),
        said(200, b"\xff\xfe"),
        said(200, [True]),
        said(200, b"[" * 100_000),
        said(200, {"code": [], "result": [], "data": [], "errors": {"codes": ["x"]}}),
        said(200, {"errors": [], "errorcode": True, "success": "true", "errorType": 5}),
    ],
    ids=str,
)
async def test_no_other_success_is_taken_for_a_yes(name: str, answer: Answer) -> None:
    """Whatever is at that address, it is not the vendor's server."""
    came, _ = await told(name, answer)
    assert (came.outcome, came.dead) == (Outcome.REFUSED, None)
    assert came.error == "answer not understood"


@every
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_server_in_trouble_is_asked_again(name: str, status: int) -> None:
    came, _ = await told(name, said(status, retry_after="7"))
    assert (came.outcome, came.status, came.dead) == (Outcome.RETRY, status, None)
    assert came.retry_after == 7_000


@every
@pytest.mark.parametrize("status", [400, 405, 410, 412, 415])
async def test_a_refusal_is_one(name: str, status: int) -> None:
    came, _ = await told(name, said(status))
    assert (came.outcome, came.status, came.error) == (
        Outcome.REFUSED,
        status,
        f"status {status}",
    )


@every
@pytest.mark.parametrize(
    ("reason", "sent", "outcome"),
    [
        ("connect", False, Outcome.RETRY),
        ("tls", False, Outcome.RETRY),
        ("timeout", True, Outcome.UNKNOWN),
        ("lost", True, Outcome.UNKNOWN),
        ("too-large", True, Outcome.UNKNOWN),
        ("address", False, Outcome.REFUSED),
        ("redirect", True, Outcome.REFUSED),
    ],
)
async def test_no_answer_to_the_notice_itself(
    name: str, reason: str, sent: bool, outcome: Outcome
) -> None:
    came, _ = await told(name, NoAnswer(reason, sent=sent))
    assert (came.outcome, came.error) == (outcome, reason)


@every
async def test_a_look_that_is_not_answered_takes_nothing_back(name: str) -> None:
    came, _ = await told(name, YES[name], NoAnswer("timeout", sent=True))
    assert (came.outcome, came.dead) == (Outcome.DONE, None)


@every
async def test_all_requests_together_keep_to_the_time(name: str) -> None:
    slow = said(200, YES[name].body, took=150)
    script = Script([slow])
    came = await made(name, script).tell(aim(name, timeout=Duration(30_000)), word(name))
    assert came.outcome is Outcome.DONE
    first, *rest = script.asked
    assert 20_000 < first.within <= 30_000
    assert all(one.within <= 30_000 - 150 for one in rest)


@every
async def test_no_time_left_for_a_look(name: str) -> None:
    script = Script([said(200, YES[name].body, took=450)])
    came = await made(name, script).tell(aim(name, timeout=Duration(400)), word(name))
    assert (came.outcome, came.dead, len(script.asked)) == (Outcome.DONE, None, 1)


@every
async def test_what_nobody_may_read_stays_in_headers_and_bodies(name: str) -> None:
    sid, _, secrets = CASES[name]
    script = Script([YES[name]])
    connector = made(name, script)
    came = await connector.tell(aim(name), word(name))
    hidden = [*secrets.values(), *([sid] if name != "rocketchat" else [])]
    shown = [*(one.url for one in script.asked), repr(came), repr(word(name)), repr(aim(name))]
    for secret in filter(None, hidden):
        assert not [text for text in shown if secret in text]


@every
@pytest.mark.parametrize(
    "sid", ["a\r\nX-Evil: 1", "a b", "\ud800", "ü", "a;b=c", "x" * 5_000, "|"], ids=ascii
)
async def test_a_sid_that_is_no_token_reaches_no_header(name: str, sid: str) -> None:
    script = Script([YES[name]])
    await made(name, script).tell(aim(name), notice(sid=sid, account=""))
    for one in script.asked:
        assert all(value.isascii() and value.isprintable() for value in one.headers.values())
        assert one.url.isascii()
        assert one.url.isprintable()


@every
async def test_nobody_to_name(name: str) -> None:
    script = Script([YES[name]])
    came = await made(name, script).tell(aim(name), notice(sid="", account=""))
    assert (came.outcome, came.error) == (Outcome.REFUSED, "nobody to name")
    assert not script.asked


@every
async def test_settings_that_lack_everything_break_nothing(name: str) -> None:
    script = Script([NoAnswer("address", sent=False)])
    with pytest.raises(NoAnswer):
        await made(name, script).tell(target(name, {}), word(name))


@every
def test_problems_are_named(name: str) -> None:
    connector = made(name, Script([]))
    assert not connector.problems(aim(name))
    assert "url: is missing" in connector.problems(target(name, {}))
    _, settings, secrets = CASES[name]
    for change, problem in (
        ({"url": "ftp://there.example"}, "url: begins with neither https:// nor http://"),
        ({"url": "https://there.example/?a=b"}, "url: has a query"),
        ({"colour": "red"}, "colour: is no setting here"),
    ):
        wrong = connector.problems(target(name, {"url": URL, **settings, **change}, secrets))
        assert [one for one in wrong if one.startswith(problem)], wrong
    public = target(name, {**settings, "url": "http://there.example"}, secrets, private=False)
    assert connector.problems(public)


@every
def test_every_setting_is_described(name: str) -> None:
    connector = made(name, Script([]))
    names = [one.name for one in connector.settings]
    assert connector.name == name
    assert len(names) == len(set(names))
    assert all(one.about for one in connector.settings)
