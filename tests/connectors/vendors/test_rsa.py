"""RSA: of the 401 pages only those about the token say that it is over."""

import pytest

from lastcall.connectors import CONNECTORS
from lastcall.domain.delivery import Outcome
from lastcall.outward import Answer, NoAnswer, Told
from tests.connectors.making import notice, target
from tests.connectors.vendors.script import Script, said
from tests.fakes import FakeSigner

TOKEN = "ws31012566e36e3be2c9:-28aff589:18a2758240d:-7c4e0.5767652570173257"
DONE = said(200, {"data": {"type": "logoutUser"}})
KEPT = said(200, {"data": {"type": "keepAlive"}})
PAGE = "<html>\n<head>\n<title>Error</title>\n</head>\n<body>{}</body>\n</html>"
NOT_VALID = "The token is not valid for the command 'logoutUser'. "


def page(text: str, status: int = 401) -> Answer:
    return said(status, PAGE.format(text).encode())


OVER = page(NOT_VALID + "Token is invalid or expired")


async def told(*answers: Answer | NoAnswer, sid: str = TOKEN) -> tuple[Told, Script]:
    script = Script(answers)
    connector = CONNECTORS["rsa"](script, FakeSigner())
    aim = target("rsa", {"url": "https://instance.securid.example"})
    return await connector.tell(aim, notice(sid=sid)), script


@pytest.mark.parametrize("first", [DONE, OVER])
@pytest.mark.parametrize(
    "look",
    [OVER, page("The token is invalid or expired Query String=cmd=keepAlive&amp;format=json")],
)
async def test_dead_is_a_token_that_is_invalid_or_expired(first: Answer, look: Answer) -> None:
    came, script = await told(first, look)
    assert (came.outcome, came.dead, came.error) == (Outcome.DONE, True, "")
    assert [(one.method, one.url.partition("?")[2]) for one in script.asked] == [
        ("POST", "cmd=logoutUser&format=json"),
        ("GET", "cmd=keepAlive&format=json"),
    ]
    assert {one.headers["authorization"] for one in script.asked} == {f"Bearer {TOKEN}"}


async def test_a_yes_that_is_not_kept() -> None:
    came, _ = await told(DONE, KEPT)
    assert (came.outcome, came.dead, came.error) == (Outcome.DONE, False, "still alive")


@pytest.mark.parametrize("text", [NOT_VALID, "Unauthorized", ""])
async def test_a_401_about_something_else_is_a_refusal(text: str) -> None:
    came, _ = await told(page(text))
    assert (came.outcome, came.error) == (Outcome.REFUSED, "not permitted there")
    came, _ = await told(DONE, page(text))
    assert (came.outcome, came.dead) == (Outcome.DONE, None)


async def test_trusted_applications_log_out_twice() -> None:
    """Their tokens may not keep alive, so the answer to that would prove nothing."""
    came, script = await told(DONE, OVER, sid="ta1:-2:3:-40.5")
    assert came.dead is True
    assert {one.url.partition("?")[2] for one in script.asked} == {"cmd=logoutUser&format=json"}
    came, _ = await told(DONE, sid="ta1:-2:3:-40.5")
    assert came.dead is False
