"""What the assembly is told: which wires it carries, where it stands, and whether it may serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lastcall.domain.types import TenantId
from lastcall.wire import Dialect, DialectSettings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A dialect and its checked section of the configuration."""

    dialect: Dialect[Any]
    settings: DialectSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """`public_url` is scheme and authority, without a slash at the end.

    `trusted_proxies` are addresses or networks in CIDR form; only what connects from there may
    say who the client is. `tenant_hosts` maps lower-case host names to the tenant that claims
    them. `max_body` in bytes; `body_seconds` is how long a body may take to arrive.
    """

    public_url: str
    trusted_proxies: tuple[str, ...] = ()
    tenant_hosts: Mapping[str, TenantId] = field(default_factory=dict)
    max_body: int = MIB
    body_seconds: float = 10.0


@dataclass(slots=True)
class Readiness:
    """Whether requests should come here; main turns the two."""

    caught_up: bool = True
    draining: bool = False
