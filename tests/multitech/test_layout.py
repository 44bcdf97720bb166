"""What the device writes: the layout clients match on, and a word for every refusal."""

import json
import re

import pytest

from lastcall.dialects.multitech import MULTITECH
from lastcall.dialects.multitech.layout import ended_token, refuse, success, time_of_day
from lastcall.dialects.multitech.settings import Settings
from lastcall.domain.errors import (
    AuthorityError,
    BadCredentials,
    Busy,
    Conflict,
    Denied,
    Invalid,
    LockedOut,
    NotAuthenticated,
    NotFound,
    SecondFactorInvalid,
    SecondFactorRequired,
    StoreUnavailable,
    Superseded,
)
from lastcall.domain.types import Duration, Instant, SessionId
from lastcall.wire import TooLarge, TooSlow
from tests.world import make_world

SAMPLE = """{
    "code" : 200,
    "result" : {
        "address" : "192.168.2.103",
        "isipcuser" : false,
        "isremoteuser" : false,
        "permission" : "admin",
        "port" : "59486",
        "timestamp" : "2:58:40:389",
        "token" : "B7083A0B14C0F0BEFFBED89B99EFBC",
        "user" : "admin"
    },
    "status" : "success"
}
"""
"""The page's sample, its slips (a missing quote, stray blanks) put right."""


def test_the_layout_is_the_samples() -> None:
    record = json.loads(SAMPLE)["result"]
    shuffled = dict(reversed(record.items()))
    assert success(shuffled).body.decode() == SAMPLE


def test_scripts_that_match_on_the_layout_find_the_token() -> None:
    """The pattern of the Perl scripts in the field."""
    found = re.search(r'"token" : "(.*?)"', SAMPLE)
    assert found
    assert found[1] == "B7083A0B14C0F0BEFFBED89B99EFBC"


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (0, "0:00:00:000"),
        (2 * 3_600_000 + 58 * 60_000 + 40_389, "2:58:40:389"),
        (86_400_000 + 23 * 3_600_000 + 59 * 60_000 + 59_999, "23:59:59:999"),
    ],
)
def test_time_of_day(at: int, shown: str) -> None:
    assert time_of_day(Instant(at)) == shown


def test_a_stand_in_cannot_be_a_token() -> None:
    shown = ended_token(SessionId("s"))
    assert re.fullmatch(r"[0-9A-F]{30}", shown)
    assert shown == ended_token(SessionId("s")) != ended_token(SessionId("t"))


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (BadCredentials("x", attempts_left=2), 401, "authorize failed. 2 attempts remaining."),
        (BadCredentials("x"), 401, "authorize failed."),
        (
            LockedOut("x", retry_after=Duration(1), by="address"),
            401,
            "authorize failed. 0 attempts remaining.",
        ),
        (NotAuthenticated("x"), 401, "unauthorized"),
        (Invalid("token", "must be a string"), 400, "token must be a string"),
        (TooLarge(), 413, "body is too large"),
        (TooSlow(), 408, "body did not arrive in time"),
        (Denied("x"), 403, "forbidden"),
        (SecondFactorRequired("totp", ()), 403, "a second factor is required"),
        (SecondFactorInvalid("totp", ()), 403, "a second factor is required"),
        (NotFound("x"), 404, "not found"),
        (Conflict("x"), 409, "conflict, user is already logged in"),
        (Superseded("x"), 409, "conflict, login was overtaken by a logout"),
        (Busy(), 503, "busy"),
        (StoreUnavailable("x"), 503, "unavailable"),
        (AuthorityError("x"), 500, "internal error"),
    ],
)
async def test_every_refusal_has_its_words(error: AuthorityError, status: int, text: str) -> None:
    call = (await make_world()).call(MULTITECH, "GET", "/api/whoami")
    reply = refuse(call, error)
    assert reply.status == status
    assert json.loads(reply.body) == {"code": status, "error": text, "status": "fail"}


async def test_a_wait_is_told_in_whole_seconds() -> None:
    call = (await make_world()).call(MULTITECH, "GET", "/api/login")
    for error in (Busy(retry_after=Duration(1)), LockedOut("", retry_after=Duration(1), by="")):
        assert ("Retry-After", "1") in refuse(call, error).headers


def test_settings_carry_the_devices_names_and_defaults() -> None:
    settings = Settings()
    assert settings.lifetime.idle == 300_000
    assert settings.lockout is not None
    assert (settings.lockout.tries, settings.lockout.lockout) == (3, 300_000)
    assert settings.longest_life == settings.lifetime.absolute
