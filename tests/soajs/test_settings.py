"""What `[dialects.soajs]` accepts, and what it keeps to itself."""

from typing import Any

import msgspec
import pytest

from lastcall.dialects.soajs.settings import Settings
from lastcall.domain.types import DAY
from tests.soajs.settings import KEY, TENANTS, settings

ONE = TENANTS["default"]


def test_the_settings_of_the_tests_are_good() -> None:
    assert settings().tenants["default"].code == "TEST"
    assert settings(expireAfter=60_000).lifetime.absolute == 60_000


def test_the_longest_life_is_that_of_any_token() -> None:
    assert settings().longest_life == 14 * DAY
    assert settings(expireAfter=60_000, refreshTokenLifetime=120).longest_life == 120_000
    assert settings(expireAfter=30 * DAY).longest_life == 30 * DAY


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenants": {"default": {**ONE, "id": "short"}}},
        {"tenants": {"default": {**ONE, "id": "X" * 24}}},
        {"tenants": {"default": {"code": "TEST"}}},
        {"tenants": {"default": {**ONE, "keys": ["short"]}}},
        {"tenants": {"default": {**ONE, "keys": ["with a blank"]}}},
        {"tenants": {"default": {**ONE, "keys": [KEY, KEY]}}},
        {"tenants": {"default": ONE, "other": {**ONE, "id": "0" * 24}}},
        {"tenants": {"default": {**ONE, "groups": {"owner": {"id": "7"}}}}},
        {"tenants": {"default": {**ONE, "tenant": "unknown key"}}},
        {"compat": "2.x"},
        {"cookie_domain": "a; Secure"},
        {"cors_origin": "https://a.example/path"},
        {"cors_origin": "null"},
        {"session_name": "a=b"},
        {"expireAfter": 0},
        {"accessTokenLifetime": 0},
    ],
)
def test_these_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        settings(**wrong)


def test_secrets_do_not_show() -> None:
    shown = repr(settings(session_secret="hush-hush", key_password="also-hush"))
    assert "hush" not in shown
    assert "shhh" not in shown
    assert "shhh" not in repr(settings().tenants)
    assert KEY not in shown


def test_without_tenants_nobody_gets_in_but_the_server_starts() -> None:
    assert Settings().tenants == {}
