"""Time-based one-time codes (RFC 6238): SHA-1, six digits, steps of thirty seconds."""

import pyotp

from lastcall.domain.token import same
from lastcall.domain.types import Instant

STEP = 30_000  # milliseconds
DIGITS = 6


class AuthenticatorApp:
    """Accepts the codes of the current step and of `window` steps to either side of it."""

    def __init__(self, window: int = 1) -> None:
        self._window = window

    def step(self, secret: str, code: str, at: Instant) -> int | None:
        """None also for a secret that cannot be read. Every candidate is compared, always."""
        otp, digits = _otp(secret), "".join(code.split())
        if otp is None or len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
            return None
        current = at // STEP
        matched = None
        for candidate in range(max(0, current - self._window), current + self._window + 1):
            if same(otp.generate_otp(candidate), digits):
                matched = candidate
        return matched


def _otp(secret: str) -> pyotp.TOTP | None:
    """None for what is not base32 of at least 112 bits, the least NIST SP 800-63B-4 allows."""
    try:
        return pyotp.TOTP("".join(secret.split()).rstrip("="), digits=DIGITS)
    except ValueError:
        return None
