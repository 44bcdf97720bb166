"""Factors: how a subject proved who they are, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lastcall.domain.types import Duration, Instant


class Method(StrEnum):
    """A way of authenticating. The values appear in session records and audit."""

    PASSWORD = "password"
    TOTP = "totp"
    EMAIL = "email"
    BACKUP_CODE = "backup-code"


STRONG = (Method.TOTP, Method.EMAIL)
"""The methods that count as a second factor on their own, strongest first."""

AMR = {
    Method.PASSWORD: "pwd",
    Method.TOTP: "otp",
    Method.EMAIL: "otp",
    Method.BACKUP_CODE: "kba",
}
"""RFC 8176 names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One proof given in a session.

    `context` ties a proof to the place it was given from (a hash of address and user agent), for
    wires that remember a second factor for a while.
    """

    method: Method
    at: Instant
    context: str = ""


def fresh(factors: Iterable[Factor], now: Instant, within: Duration, context: str) -> bool:
    """Whether a second factor given from this same place is younger than `within`."""
    return any(
        now - factor.at < within and factor.context == context
        for factor in factors
        if factor.context
    )
