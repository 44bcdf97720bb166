"""What the Rocket.Chat wire makes of parameters, and how it says what hardly ever happens."""

from typing import Any

import pytest

from lastcall.dialects.rocketchat import ROCKETCHAT
from lastcall.dialects.rocketchat.parameters import Listing, listing, session_id, user_id
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.dialects.rocketchat.words import Failure
from lastcall.domain.errors import (
    AuthorityError,
    Busy,
    Conflict,
    LockedOut,
    StoreUnavailable,
    Superseded,
)
from lastcall.domain.types import Duration
from lastcall.wire import TooLarge, TooSlow, Trail
from tests.rocketchat.client import said
from tests.world import make_world

SETTINGS = Settings()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("x", "x"),
        (5, "5"),
        (5.0, "5"),
        (-1.5, "-1.5"),
        (True, "true"),
        (False, "false"),
        (None, ""),
    ],
)
def test_a_session_id_is_coerced_like_the_schema_does(given: object, text: str) -> None:
    assert session_id({"sessionId": given}, SETTINGS) == text


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "must have required property 'sessionId'"),
        ({"y": 1}, "must have required property 'sessionId'"),
        ({"sessionId": "x", "y": 1}, "must NOT have additional properties"),
        ({"sessionId": ["x"]}, "must be string"),
        ({"sessionId": {}}, "must be string"),
        ([], "must be object"),
        ("x", "must be object"),
        (5, "must be object"),
    ],
)
def test_a_wrong_body_is_named_as_the_schema_names_it(given: object, problem: str) -> None:
    with pytest.raises(Failure) as caught:
        session_id(given, SETTINGS)
    assert (caught.value.reason, caught.value.kind) == (problem, "invalid-params")


@pytest.mark.parametrize(
    ("given", "id"),
    [({}, None), ({"userId": ""}, None), ({"userId": None}, None), ({"userId": 7, "x": 1}, "7")],
)
def test_a_user_id_may_be_left_out(given: object, id: str | None) -> None:
    assert user_id(given, SETTINGS) == id


@pytest.mark.parametrize(
    ("given", "page"),
    [
        ({}, (0, 50)),
        ({"count": "100"}, (0, 100)),
        ({"count": "101", "offset": "3"}, (3, 100)),
        ({"count": "1e1", "offset": "2.9"}, (2, 10)),
        ({"offset": "1e300"}, (2**53 - 1, 50)),
    ],
)
def test_a_page_is_bounded(given: object, page: tuple[int, int]) -> None:
    found = listing(given, SETTINGS)
    assert (found.offset, found.count) == page


@pytest.mark.parametrize(
    "number", ["", "abc", "1x", "1e999", "\u0661", "9" * 5_000, ["1", "2"], "NaN"]
)
def test_what_is_no_number(number: Any) -> None:
    with pytest.raises(Failure, match="must be number"):
        listing({"count": number}, SETTINGS)


def test_sorting_takes_the_vendors_keys_only() -> None:
    keys = '{"loginAt":-1,"device.os.version":1,"_user.name":1}'
    assert listing({"sort": keys}, SETTINGS) == Listing(
        offset=0,
        count=50,
        filter="",
        sort={"loginAt": -1, "device.os.version": 1, "_user.name": 1},
    )
    for raw in ("null", "5", '"loginAt"', '{"loginAt":"1"}', '{"loginAt":[1]}', "[" * 5_000):
        with pytest.raises(Failure, match="Invalid sort parameter"):
            listing({"sort": raw}, SETTINGS)


async def refused(error: AuthorityError, route: str) -> tuple[int, Any]:
    world = await make_world()
    call = world.call(ROCKETCHAT, "POST", route).with_(trail=Trail(route=route))
    reply = ROCKETCHAT.decline(call, error)
    return reply.status, said(reply)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Busy(), 503),
        (StoreUnavailable(), 503),
        (AuthorityError(), 500),
        (TooLarge(), 413),
        (TooSlow(), 408),
    ],
)
@pytest.mark.parametrize("route", ["/api/v1/login", "/api/v1/me", ""])
async def test_trouble_is_said_without_detail(
    error: AuthorityError, status: int, route: str
) -> None:
    found, body = await refused(error, route)
    assert found == status
    assert body["success"] is False


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            LockedOut("", retry_after=Duration(1), by="address"),
            "error-login-blocked-for-ip",
            "Login has been temporarily blocked For IP",
        ),
        (
            LockedOut("", retry_after=Duration(1), by="subject"),
            "error-login-blocked-for-user",
            "Login has been temporarily blocked For User",
        ),
        (Superseded(), "Unauthorized", "Unauthorized"),
        (Conflict(), "error-too-many-sessions", "Too many sessions are live"),
    ],
)
async def test_a_login_that_fails(error: AuthorityError, code: str, message: str) -> None:
    assert await refused(error, "/api/v1/login") == (
        401,
        {"success": False, "status": "error", "error": code, "message": message},
    )
