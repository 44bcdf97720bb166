"""What `[dialects.elvis]` may say."""

from typing import Annotated, Literal

import msgspec

from lastcall.dialects.elvis.targets import read_origin, read_target
from lastcall.domain.session import Lifetime
from lastcall.domain.types import Duration
from lastcall.wire import DialectSettings

Seconds = Annotated[int, msgspec.Meta(ge=60, le=7 * 86_400)]


class Settings(DialectSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[dialects.elvis]`; camel case marks the names the vendor has."""

    server_version: str = msgspec.field(default="6.0.1.8", name="serverVersion")
    """What login and ping say they are."""
    landing_page: str = "/app"
    """Where a logout without `logoutSuccessUrl` leads: a path here, or an absolute address."""
    redirect_hosts: tuple[str, ...] = ()
    """The only other origins, as `scheme://host[:port]`, a logout redirects to unasked."""
    csrf_status: Literal[403, 401] = 403
    """The answer to a missing or wrong X-CSRF-TOKEN; some clients log in again upon 401 alone."""
    idle_seconds: Seconds = 1_800
    lifetime_seconds: Seconds = 43_200
    """A browser session ends unused after the one, and in any case after the other."""
    apilogin_seconds: Seconds = 1_800
    """How long the token of an apilogin counts, used or not."""

    def __post_init__(self) -> None:
        landing = read_target(self.landing_page)
        if landing is None or (not landing.origin and is_logout(landing.path)):
            raise ValueError("landing_page must be a path other than /logout, or an http address")
        for entry in self.redirect_hosts:
            if read_origin(entry) is None:
                raise ValueError("redirect_hosts must hold origins such as https://www.example.com")

    @property
    def landing(self) -> str:
        return str(read_target(self.landing_page))

    @property
    def longest_life(self) -> int:
        return max(self.lifetime_seconds, self.apilogin_seconds) * 1000

    @property
    def browser_lifetime(self) -> Lifetime:
        return Lifetime(
            idle=Duration(self.idle_seconds * 1000), absolute=Duration(self.lifetime_seconds * 1000)
        )

    @property
    def api_lifetime(self) -> Lifetime:
        return Lifetime(idle=None, absolute=Duration(self.apilogin_seconds * 1000))

    @property
    def redirect_origins(self) -> frozenset[str | None]:
        return frozenset(map(read_origin, self.redirect_hosts))


def is_logout(path: str) -> bool:
    """Whether a path leads back to the very route that redirects."""
    return path.partition(";")[0].rstrip("/").lower() == "/logout"
