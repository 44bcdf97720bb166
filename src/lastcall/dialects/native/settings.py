"""What `[dialects.native]` may say."""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from lastcall.domain.session import Lifetime
from lastcall.domain.types import Duration
from lastcall.wire import DialectSettings

DAY_SECONDS = 86_400
SHORTEST_SECRET = 20


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application that may introspect: its secret, or the SHA-256 hex of it, and not both.

    With a `tenant` it learns of that tenant's tokens alone; without one, of every tenant's.
    """

    secret: str = ""
    secret_sha256: str = ""
    tenant: str = ""

    def __post_init__(self) -> None:
        if bool(self.secret) == bool(self.secret_sha256):
            raise ValueError("needs either secret or secret_sha256")
        if self.secret and len(self.secret) < SHORTEST_SECRET:
            raise ValueError(f"secret must have at least {SHORTEST_SECRET} characters")
        if self.secret_sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", self.secret_sha256):
            raise ValueError("secret_sha256 must be 64 hexadecimal digits")

    def __repr__(self) -> str:
        return f"Service(tenant={self.tenant!r})"


class Settings(DialectSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[dialects.native]`."""

    idle_seconds: Annotated[int, msgspec.Meta(ge=60, le=30 * DAY_SECONDS)] = 30 * 60
    """A session not used for so long has ended."""
    absolute_seconds: Annotated[int, msgspec.Meta(ge=60, le=90 * DAY_SECONDS)] = 12 * 3_600
    """A session lasts no longer, however busy it is."""
    impersonation_seconds: Annotated[int, msgspec.Meta(ge=60, le=DAY_SECONDS)] = 15 * 60
    """A session in somebody else's place lasts no longer, used or not."""
    more_tenants: tuple[str, ...] = ()
    """Tenants a login may name, besides `tenant`, on host names that no tenant claims."""
    services: Mapping[str, Service] = {}
    """Applications that may introspect, by name."""

    @property
    def lifetime(self) -> Lifetime:
        return Lifetime(
            idle=Duration(self.idle_seconds * 1_000),
            absolute=Duration(self.absolute_seconds * 1_000),
        )

    @property
    def impersonation(self) -> Lifetime:
        return Lifetime(idle=None, absolute=Duration(self.impersonation_seconds * 1_000))

    @property
    def longest_life(self) -> int:
        return max(self.absolute_seconds, self.impersonation_seconds) * 1_000

    @property
    def tenants_named(self) -> tuple[str, ...]:
        of_services = [one.tenant for one in self.services.values() if one.tenant]
        return (*self.more_tenants, *of_services)
