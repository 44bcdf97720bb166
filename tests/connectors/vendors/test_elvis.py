"""Elvis: whose token it is decides how it is shown, and errors may come with 200."""

import pytest

from lastcall.connectors import CONNECTORS
from lastcall.domain.delivery import Outcome
from lastcall.outward import Answer, NoAnswer, Told
from tests.connectors.making import notice, target
from tests.connectors.vendors.places import inside
from tests.connectors.vendors.script import Script, said
from tests.connectors.vendors.vendors import ELVIS, Login
from tests.fakes import FakeSigner

DONE = said(200, b'{\n"logoutSuccess" : true\n}')
OUT = {"errorname": "X", "message": "Not logged in", "errorcode": 401}
IN = said(200, {"username": "john"})


async def told(*answers: Answer | NoAnswer, sid: str = "token") -> tuple[Told, Script]:
    script = Script(answers)
    connector = CONNECTORS["elvis"](script, FakeSigner())
    aim = target("elvis", {"url": "https://dam.example/app"})
    return await connector.tell(aim, notice(sid=sid)), script


@pytest.mark.parametrize("status", [200, 401])
async def test_dead_is_what_the_profile_says(status: int) -> None:
    came, script = await told(DONE, said(status, OUT))
    assert (came.outcome, came.dead, came.error) == (Outcome.DONE, True, "")
    assert [(one.method, one.url) for one in script.asked] == [
        ("POST", "https://dam.example/app/services/logout"),
        ("POST", "https://dam.example/app/services/profile"),
    ]
    assert {one.body for one in script.asked} == {b""}


@pytest.mark.parametrize("status", [200, 401])
async def test_whoever_is_not_logged_in_is_out_already(status: int) -> None:
    came, _ = await told(said(status, OUT))
    assert (came.outcome, came.dead, came.status) == (Outcome.DONE, True, status)


async def test_a_yes_that_is_not_kept() -> None:
    came, _ = await told(DONE, IN)
    assert (came.outcome, came.dead, came.error) == (Outcome.DONE, False, "still alive")


@pytest.mark.parametrize(
    "look", [said(200), said(500), said(403), said(200, {"errorcode": 500, "username": "x"})]
)
async def test_a_look_that_tells_nothing(look: Answer) -> None:
    came, _ = await told(DONE, look)
    assert came.outcome is Outcome.DONE
    assert came.dead in (None, False)


async def test_a_no_is_no_yes() -> None:
    came, _ = await told(said(200, {"logoutSuccess": False}))
    assert (came.outcome, came.error) == (Outcome.REFUSED, "answer not understood")


async def test_how_a_token_is_shown() -> None:
    _, script = await told(DONE, sid="eyJhbGciOiJIUzUxMiJ9.e30.x")
    assert script.asked[0].headers == {"authorization": "Bearer eyJhbGciOiJIUzUxMiJ9.e30.x"}
    _, script = await told(DONE, sid="abc|AAAAAAAAAAAAAAAAAAAAAA")
    assert script.asked[0].headers == {
        "cookie": "authToken=abc",
        "x-csrf-token": "AAAAAAAAAAAAAAAAAAAAAA",
    }


@pytest.mark.parametrize(("csrf_status", "outcome"), [(403, Outcome.REFUSED), (401, Outcome.DONE)])
async def test_a_wrong_csrf_token_is_never_a_success(csrf_status: int, outcome: Outcome) -> None:
    """A server that says 401 for it is seen through: the profile is still there."""
    place, way = await inside()
    way.settings["elvis"] = {"csrf_status": csrf_status}
    login = await ELVIS.log_in(place, "john")
    wrong = Login(token=login.token, sid=f"{login.token}|{'A' * 22}", account="john")
    came = await ELVIS.tell(place, wrong)
    assert (came.outcome, came.status) == (outcome, csrf_status)
    assert came.dead is (False if outcome is Outcome.DONE else None)
    assert came.error == ("still alive" if outcome is Outcome.DONE else "CSRF token refused")
    assert await ELVIS.alive(place, login)
