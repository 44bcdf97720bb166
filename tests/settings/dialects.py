"""Two made-up dialects to read settings for."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from lastcall.wire import DialectSettings

DAY = 86_400_000


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    secret: str = ""


class FirstSettings(DialectSettings, frozen=True, kw_only=True):
    days: Annotated[int, msgspec.Meta(ge=1)] = 5
    logoutReach: str = "own"  # noqa: N815 - a vendor's spelling
    tenants: dict[str, Key] = msgspec.field(default_factory=dict)
    clients: tuple[Key, ...] = ()

    @property
    def longest_life(self) -> int:
        return self.days * DAY

    @property
    def tenants_named(self) -> tuple[str, ...]:
        return tuple(self.tenants)


class SecondSettings(DialectSettings, frozen=True, kw_only=True):
    landing_page: str = "/app"


DIALECTS: Mapping[str, type[msgspec.Struct]] = {"first": FirstSettings, "second": SecondSettings}
