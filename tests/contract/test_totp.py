"""Codes of an authenticator app, against the vectors of RFC 6238 and unreadable secrets."""

from base64 import b32encode

import pyotp
import pytest

from lastcall.authenticators.totp import STEP, AuthenticatorApp
from lastcall.domain.types import Instant
from tests.contract.authenticator import AT, SECRET, TotpContract


class TestAuthenticatorApp(TotpContract):
    @pytest.fixture
    def totp(self) -> AuthenticatorApp:
        return AuthenticatorApp()

    def code(self, step: int) -> str:
        return pyotp.TOTP(SECRET).generate_otp(step)


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_rfc_6238_appendix_b(second: int, code: str) -> None:
    secret = b32encode(b"12345678901234567890").decode()
    assert AuthenticatorApp(window=0).step(secret, code, Instant(second * 1_000)) == second // 30


@pytest.mark.parametrize(
    "secret", ["", "A", "JBSWY3DPEHPK3PXP", "1" * 32, "ü" * 32, "\udcff" * 32, "A" * 32 + "!"]
)
def test_a_secret_that_cannot_be_used_matches_nothing(secret: str) -> None:
    assert AuthenticatorApp().step(secret, "123456", AT) is None


@pytest.mark.parametrize(
    "spelt", [SECRET.lower(), f" {SECRET[:4]} {SECRET[4:]}", SECRET + "======"]
)
def test_secrets_as_people_type_them(spelt: str) -> None:
    code = pyotp.TOTP(SECRET).generate_otp(AT // STEP)
    assert AuthenticatorApp().step(spelt, code, AT) == AT // STEP


def test_the_window_can_be_widened() -> None:
    code = pyotp.TOTP(SECRET).generate_otp(AT // STEP - 3)
    assert AuthenticatorApp(window=3).step(SECRET, code, AT) == AT // STEP - 3
    assert AuthenticatorApp(window=2).step(SECRET, code, AT) is None


def test_the_first_step_of_all_time() -> None:
    code = pyotp.TOTP(SECRET).generate_otp(0)
    assert AuthenticatorApp().step(SECRET, code, Instant(0)) == 0
