"""What `[dialects.rsa]` may say."""

from typing import Annotated

import msgspec

from lastcall.domain.session import Lifetime
from lastcall.domain.types import Duration
from lastcall.wire import DialectSettings

MINUTE = 60_000  # milliseconds
WEEK = 7 * 24 * 60  # minutes

Minutes = Annotated[int, msgspec.Meta(ge=1, le=WEEK)]


class Settings(DialectSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[dialects.rsa]`; the names with hyphens are the product's own, in minutes where timeouts."""

    token_lifespan_timeout: Minutes = msgspec.field(default=120, name="token-lifespan-timeout")
    token_inactivity_timeout: Minutes = msgspec.field(default=10, name="token-inactivity-timeout")
    allow_username_save: bool = msgspec.field(default=False, name="allow-username-save")
    instructions: str = ""
    username_label: str = msgspec.field(default="User Name", name="username-label")
    password_label: str = msgspec.field(default="Password", name="password-label")
    authsources: tuple[str, ...] = ()
    """The names `authsource` may have; with none listed, any."""

    @property
    def lifetime(self) -> Lifetime:
        return Lifetime(
            idle=Duration(self.token_inactivity_timeout * MINUTE),
            absolute=Duration(self.longest_life),
        )

    @property
    def longest_life(self) -> int:
        return self.token_lifespan_timeout * MINUTE
