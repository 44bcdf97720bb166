"""What `[dialects.multitech]` may say."""

from typing import Annotated, Literal

import msgspec

from lastcall.domain.attempts import Limit
from lastcall.domain.session import Lifetime
from lastcall.domain.types import Duration
from lastcall.wire import DialectSettings

DAY_SECONDS = 86_400


class BruteForcePrevention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The device's `remoteAccess.bruteForcePrevention`; not enabled, the tenant's limit holds."""

    enabled: bool = True
    fail_attempts: Annotated[int, msgspec.Meta(ge=1, le=1000)] = msgspec.field(
        default=3, name="failAttempts"
    )
    lockout_seconds: Annotated[int, msgspec.Meta(ge=1, le=DAY_SECONDS)] = msgspec.field(
        default=300, name="lockoutSeconds"
    )


class Settings(DialectSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[dialects.multitech]`; camel case marks the names the device itself has."""

    timeout_seconds: Annotated[int, msgspec.Meta(ge=60, le=DAY_SECONDS)] = msgspec.field(
        default=300, name="timeoutSeconds"
    )
    lifetime_seconds: Annotated[int, msgspec.Meta(ge=60, le=7 * DAY_SECONDS)] = DAY_SECONDS
    """A session lasts no longer, however busy it is."""
    brute_force_prevention: BruteForcePrevention = msgspec.field(
        default_factory=BruteForcePrevention, name="bruteForcePrevention"
    )
    bind_address: bool = True
    """A token counts only from the address it was given to."""
    show_ended_token: bool = True
    """Off, the answer to a logout masks the token that has just died."""
    reach: Literal["own", "everywhere"] = "own"
    """Whether `logoutUser` ends the user's sessions of this dialect, or those of every one."""

    @property
    def lockout(self) -> Limit | None:
        rule = self.brute_force_prevention
        span = Duration(rule.lockout_seconds * 1000)
        return Limit(tries=rule.fail_attempts, window=span, lockout=span) if rule.enabled else None

    @property
    def lifetime(self) -> Lifetime:
        return Lifetime(
            idle=Duration(self.timeout_seconds * 1000),
            absolute=Duration(self.lifetime_seconds * 1000),
        )

    @property
    def longest_life(self) -> int:
        return self.lifetime_seconds * 1000
