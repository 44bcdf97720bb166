"""The identifiers and units everything else is written in."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NewType

TenantId = NewType("TenantId", str)
SubjectId = NewType("SubjectId", str)
SessionId = NewType("SessionId", str)
ClientId = NewType("ClientId", str)
ReceiptId = NewType("ReceiptId", str)
PreviewId = NewType("PreviewId", str)
PlanId = NewType("PlanId", str)
DialectName = NewType("DialectName", str)

Instant = NewType("Instant", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

Duration = NewType("Duration", int)
"""Milliseconds."""

Serial = NewType("Serial", int)
"""A tenant's rising number, one for each login and each revocation; never reused."""

TokenHash = NewType("TokenHash", bytes)
"""SHA-256 of a token's UTF-8 bytes: the only form in which a token is kept."""

SECOND = Duration(1_000)
MINUTE = Duration(60_000)
HOUR = Duration(3_600_000)
DAY = Duration(86_400_000)


def later(at: Instant, by: Duration) -> Instant:
    return Instant(at + by)


def iso_time(at: int) -> str:
    """`2026-11-21T05:04:03.210Z` for milliseconds since the epoch."""
    second, beyond = divmod(at, 1_000)
    return f"{_iso_second(second)}.{beyond:03d}Z"


@lru_cache(maxsize=1_024)
def _iso_second(second: int) -> str:
    """Most of what is told has happened just now, and so in the same few seconds."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def instant_of(text: str) -> Instant:
    """The other way round, for any time as in RFC 3339. Raises `ValueError`."""
    if not TIME.fullmatch(text):
        raise ValueError("not a time as in RFC 3339")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error
    return Instant((moment - EPOCH) // timedelta(milliseconds=1))


class Kind(StrEnum):
    """What holds the session."""

    BROWSER = "browser"
    NON_BROWSER = "non-browser"
    API = "api"


class EndReason(StrEnum):
    """Why a session ended; the wire never shows it to the holder of the dead token."""

    LOGOUT = "logout"
    ENDED_BY_OTHER = "ended-by-other"
    REVOKED = "revoked"
    IDLE = "idle"
    EXPIRED = "expired"
    EVICTED = "evicted"
    PASSWORD_CHANGED = "password-changed"
    ROLE_CHANGED = "role-changed"
    FACTOR_CHANGED = "factor-changed"
    SUBJECT_DISABLED = "subject-disabled"
    SUBJECT_DELETED = "subject-deleted"
    TOKEN_REUSED = "token-reused"
    STORE_RESTORED = "store-restored"
