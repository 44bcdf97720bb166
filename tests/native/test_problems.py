"""Every refusal there can be is a problem of a documented type."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lastcall
from lastcall.dialects.native import NATIVE
from lastcall.dialects.native.problems import (
    CATALOGUE,
    BadService,
    CsrfRefused,
    MethodNotAllowed,
    WrongMediaType,
    refuse,
)
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
    SecondFactorExhausted,
    SecondFactorInvalid,
    SecondFactorRequired,
    StoreUnavailable,
    Superseded,
    Unfinished,
)
from lastcall.domain.types import Duration
from lastcall.wire import TooLarge, TooSlow
from tests.native.client import code, content
from tests.world import make_world

DOCUMENTED = Path(lastcall.__file__).parents[2] / "docs" / "reference" / "errors.md"
SECRET = "canary in the detail"

ERRORS: list[tuple[AuthorityError, int, str]] = [
    (Invalid("username", "is missing"), 400, "invalid"),
    (TooSlow(), 408, "too-slow"),
    (TooLarge(), 413, "too-large"),
    (WrongMediaType(SECRET), 415, "unsupported-media-type"),
    (NotAuthenticated(SECRET), 401, "not-authenticated"),
    (BadCredentials(SECRET, attempts_left=3), 401, "bad-credentials"),
    (BadService(SECRET), 401, "bad-service-credentials"),
    (SecondFactorRequired("totp", ("totp", "email")), 401, "second-factor-required"),
    (SecondFactorInvalid("totp", ("totp",)), 401, "second-factor-invalid"),
    (SecondFactorExhausted("totp", ("totp",)), 401, "second-factor-exhausted"),
    (CsrfRefused(SECRET), 403, "csrf"),
    (Denied(SECRET), 403, "denied"),
    (NotFound(SECRET), 404, "not-found"),
    (MethodNotAllowed(("GET", "HEAD")), 405, "method-not-allowed"),
    (Conflict(SECRET), 409, "conflict"),
    (Unfinished(SECRET), 409, "unfinished"),
    (Superseded(SECRET), 409, "superseded"),
    (LockedOut(SECRET, retry_after=Duration(1_001), by="address"), 429, "locked-out"),
    (Busy(SECRET), 503, "busy"),
    (StoreUnavailable(SECRET), 503, "store-unavailable"),
    (AuthorityError(SECRET), 500, "error"),
]


WHERE = tuple(f"lastcall.{name}." for name in ("domain", "authority", "wire", "dialects.native"))


def kinds(of: type[AuthorityError] = AuthorityError) -> Iterator[type[AuthorityError]]:
    """Those every wire must know, and the native API's own."""
    for kind in of.__subclasses__():
        if kind.__module__.startswith(WHERE):
            yield kind
        yield from kinds(kind)


@pytest.mark.parametrize(("error", "status", "expected"), ERRORS, ids=lambda value: str(value))
async def test_every_refusal_is_a_problem(
    error: AuthorityError, status: int, expected: str
) -> None:
    call = (await make_world()).call(NATIVE, "GET", "/v1/session")
    reply = refuse(call, error)
    headers = dict(reply.headers)
    assert (reply.status, code(reply)) == (status, expected)
    assert content(reply)["request_id"] == "request-1"
    assert SECRET not in reply.body.decode()
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert ("Retry-After" in headers) == (status in (429, 503))
    assert ("Allow" in headers) == (status == 405)


def test_the_list_above_is_the_catalogue() -> None:
    assert {expected for _, _, expected in ERRORS} == set(CATALOGUE)
    assert {kind.code for kind in kinds()} - set(CATALOGUE) == set(), "an error without a problem"


async def test_waits_are_whole_seconds_rounded_up() -> None:
    call = (await make_world()).call(NATIVE, "GET", "/v1/session")
    error = LockedOut("", retry_after=Duration(1_001), by="address")
    assert content(refuse(call, error))["retry_after"] == 2


@pytest.mark.parametrize("expected", CATALOGUE)
async def test_every_type_leads_to_its_description(expected: str) -> None:
    reply = await (await make_world()).ask(NATIVE, "GET", f"/problems/{expected}")
    assert reply.status == 200
    assert content(reply)["status"] == CATALOGUE[expected].status


def test_every_type_has_a_reference_entry() -> None:
    headings = re.findall(r"^### `(.+)`$", DOCUMENTED.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(CATALOGUE)
