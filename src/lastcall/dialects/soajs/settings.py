"""What `[dialects.soajs]` may say."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from lastcall.domain.session import Lifetime
from lastcall.domain.types import DAY, Duration
from lastcall.wire import DialectSettings

ID = re.compile(r"[0-9a-f]{24}")
KEY = re.compile(r"[\x21-\x7e]{8,512}")
Seconds = Annotated[int, msgspec.Meta(ge=60, le=365 * 86_400)]


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `groupsConfig` shows a group; an `id` left empty is derived from tenant and code."""

    name: str = ""
    description: str = ""
    id: str = ""
    locked: bool = False

    def __post_init__(self) -> None:
        if self.id and not ID.fullmatch(self.id):
            raise ValueError("a group's id has 24 hexadecimal digits")


class Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one tenant is called on this wire, and the external keys that lead to it."""

    id: str
    code: str
    keys: tuple[str, ...] = ()
    groups: Mapping[str, Group] = {}
    locked: tuple[str, ...] = ()
    """The usernames whose records say `"locked": true`."""
    oauth_secret: str = ""
    """What clients of the oauth calls prove themselves with; empty: there are none."""

    def __post_init__(self) -> None:
        if not ID.fullmatch(self.id):
            raise ValueError("a tenant's id has 24 hexadecimal digits")
        if not all(KEY.fullmatch(key) for key in self.keys):
            raise ValueError("a key has 8 to 512 printable characters and no blanks")

    def __repr__(self) -> str:
        return f"Tenant(id={self.id!r}, code={self.code!r})"


class Settings(DialectSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[dialects.soajs]`; camel case marks the names SOAJS itself has."""

    tenants: Mapping[str, Tenant] = {}
    """By the names the tenants have in `[tenants]`."""
    compat: Literal["0.x", "1.x"] = "0.x"
    logout_data: Literal["record", "true"] = "record"
    tenant_key_blanks: bool = True
    """Whether the record of a logout has the keys `"tenant "`, `"id "` and `"code "`."""
    texts: Literal["page", "server"] = "page"
    """Whose wording code 400 has: the documentation's, or with the server's full stop."""
    tell_unknown_users: bool = False
    """Whether a login says 401 for a name that does not exist, as the vendor's does."""
    jsonp: bool = False
    cors_origin: str = ""
    """Empty: no CORS headers. `*`, or one origin, which may then send the cookie."""
    key_password: str = "soajs key lal massa"
    session_name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]+$")] = "soajsID"
    session_secret: str = ""
    """What cookies are signed with; empty: a secret of the house."""
    cookie_domain: str = ""
    cookie_same_site: Literal["Strict", "Lax", "None"] = "Strict"
    expire_after: Annotated[int, msgspec.Meta(ge=60_000)] = msgspec.field(
        default=14 * DAY, name="expireAfter"
    )
    """How long a login lasts, in milliseconds."""
    idle_seconds: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How long it lasts without use; 0: as long as it lasts anyway."""
    access_token_lifetime: Seconds = msgspec.field(default=7_200, name="accessTokenLifetime")
    refresh_token_lifetime: Seconds = msgspec.field(default=1_209_600, name="refreshTokenLifetime")
    """From the login on, however often it is refreshed."""
    reach: Literal["own", "everywhere"] = "own"
    """Whether `/oauth/tokens/...` ends the logins of this dialect, or those of every one."""

    def __post_init__(self) -> None:
        keys = [key for tenant in self.tenants.values() for key in tenant.keys]
        if len(keys) != len(set(keys)):
            raise ValueError("a key stands twice in tenants")
        if not re.fullmatch(r"[A-Za-z0-9.-]*", self.cookie_domain):
            raise ValueError("cookie_domain is not a domain")
        if not re.fullmatch(r"|\*|https?://[A-Za-z0-9.:\[\]-]+", self.cors_origin):
            raise ValueError("cors_origin must be empty, * or an origin such as https://a.example")

    def __repr__(self) -> str:
        return f"Settings(tenants={list(self.tenants)!r}, compat={self.compat!r})"

    @property
    def longest_life(self) -> int:
        return max(self.expire_after, self.refresh_token_lifetime * 1_000)

    @property
    def tenants_named(self) -> tuple[str, ...]:
        return tuple(self.tenants)

    @property
    def lifetime(self) -> Lifetime:
        """Of a urac login."""
        idle = Duration(self.idle_seconds * 1_000) if self.idle_seconds else None
        return Lifetime(idle=idle, absolute=Duration(self.expire_after))

    @property
    def oauth_lifetime(self) -> Lifetime:
        """Of an oauth login, all its tokens included."""
        return Lifetime(idle=None, absolute=Duration(self.refresh_token_lifetime * 1_000))

    @property
    def access_life(self) -> Duration:
        return Duration(self.access_token_lifetime * 1_000)
