"""What the authority needs of the world, as protocols; `Env` holds one of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lastcall.domain.policy import Policy
from lastcall.domain.session import Device
from lastcall.domain.types import DialectName, TenantId
from lastcall.ports.backup import Backups
from lastcall.ports.feed import Entry, Feed, Mark, Position, ScopeKey
from lastcall.ports.machine import (
    Applications,
    Clock,
    Entropy,
    Mailer,
    Passwords,
    Signer,
    Totp,
    Vault,
)
from lastcall.ports.observing import Condition, Observer, Unobserved
from lastcall.ports.reading import Found, Page, SessionQuery, searchable
from lastcall.ports.store import Store, Transaction
from lastcall.ports.undecided import Undecided

__all__ = [
    "Applications",
    "Backups",
    "Clock",
    "Condition",
    "Entropy",
    "Entry",
    "Env",
    "Feed",
    "Found",
    "Mailer",
    "Mark",
    "Observer",
    "Page",
    "Passwords",
    "Position",
    "ScopeKey",
    "SessionQuery",
    "Signer",
    "Store",
    "Totp",
    "Transaction",
    "Undecided",
    "Unobserved",
    "Vault",
    "searchable",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """Everything a verb may reach.

    `backups` is None for a store whose database has tools of its own for them. `joins` names the
    applications that sessions begun at a dialect join by themselves. `undecided` are the attempts
    to log in that are being judged in this process.
    """

    store: Store
    clock: Clock
    entropy: Entropy
    passwords: Passwords
    totp: Totp
    mailer: Mailer
    vault: Vault
    signer: Signer
    applications: Applications
    policies: Mapping[TenantId, Policy]
    device_of: Callable[[str], Device]
    country_of: Callable[[str], str] | None = None
    backups: Backups | None = None
    joins: Mapping[DialectName, tuple[str, ...]] = field(default_factory=dict)
    undecided: Undecided = field(default_factory=Undecided)

    def policy(self, tenant: TenantId) -> Policy:
        return self.policies[tenant]
