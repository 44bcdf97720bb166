"""What can be set for the Rocket.Chat wire; names with capitals are the vendor's own."""

from typing import Annotated, Literal

from msgspec import Meta

from lastcall.domain.types import DAY, SECOND
from lastcall.wire import DialectSettings

Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class Settings(DialectSettings, frozen=True, kw_only=True):
    """The rules of this wire.

    `reach` bounds what the lists show and what a logout without a session id ends. `idle_timeout`
    and `Accounts_TwoFactorAuthentication_RememberFor` are in seconds (0: none),
    `Accounts_LoginExpiration` in days, `API_Enable_Rate_Limiter_Limit_Time_Default` in
    milliseconds.
    """

    device_management_license: bool = True
    reach: Literal["own", "everywhere"] = "own"
    idle_timeout: NotNegative = 0
    email_codes_per_hour: Positive = 10
    Accounts_LoginExpiration: Annotated[int, Meta(ge=1, le=3_650)] = 90
    Accounts_TwoFactorAuthentication_Enabled: bool = True
    Accounts_TwoFactorAuthentication_Enforce_Password_Fallback: bool = True
    Accounts_TwoFactorAuthentication_RememberFor: NotNegative = 1_800
    API_Default_Count: Annotated[int, Meta(ge=1, le=500)] = 50
    API_Upper_Count_Limit: Annotated[int, Meta(ge=1, le=500)] = 100
    API_Enable_Rate_Limiter: bool = True
    API_Enable_Rate_Limiter_Limit_Calls_Default: Positive = 10
    API_Enable_Rate_Limiter_Limit_Time_Default: Positive = 60_000
    MAX_RESUME_LOGIN_TOKENS: NotNegative = 50

    @property
    def longest_life(self) -> int:
        return self.Accounts_LoginExpiration * DAY

    @property
    def idle(self) -> int:
        return self.idle_timeout * SECOND

    @property
    def remember_for(self) -> int:
        return self.Accounts_TwoFactorAuthentication_RememberFor * SECOND
