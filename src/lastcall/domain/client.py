"""Clients: the applications a logout must reach, and what each of them can do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lastcall.domain.session import Participant
from lastcall.domain.subject import Subject
from lastcall.domain.types import ClientId, Duration, Instant, SubjectId, TenantId

TIMEOUTS = range(100, 60_001)
"""Milliseconds one try at a client may take."""


class Ability(StrEnum):
    """What an application does when it is told."""

    SESSION = "session"
    SUBJECT = "subject"
    NEW_TOKENS = "new-tokens"
    NONE = "none"


class Naming(StrEnum):
    """Whom a notice names: one session there, the account, or both.

    `SID` and `BOTH` give one notice a session, `SUB` one a user however many sessions ended.
    """

    SID = "sid"
    SUB = "sub"
    BOTH = "both"


class AccountRule(StrEnum):
    """How a subject is called at an application that has no table of names."""

    USERNAME = "username"
    EMAIL = "email"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One application of one tenant. `connector` is how it is told, empty when it cannot be.

    `secrets` are sealed. `outlives` is how long its own sessions may go on without a notice.
    `always` tells it of every ended session of the tenant, not only of those that joined.
    `private` allows plain http and addresses that are not public. `declared` means that the
    configuration describes it, and has the last word at every start.
    """

    id: ClientId
    tenant: TenantId
    name: str
    owner: str = ""
    connector: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    can: Ability = Ability.SESSION
    naming: Naming = Naming.SID
    account: AccountRule = AccountRule.USERNAME
    timeout: Duration = Duration(5_000)
    concurrency: int = 8
    outlives: Duration = Duration(8 * 3_600_000)
    always: bool = False
    private: bool = False
    enabled: bool = True
    declared: bool = False
    created: Instant
    changed: Instant

    @property
    def can_be_told(self) -> bool:
        return bool(self.connector) and self.enabled and self.can is not Ability.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountName:
    """What a subject is called at a client, where no rule tells."""

    client: ClientId
    subject: SubjectId
    account: str


def account_at(
    client: Client, subject: Subject, joined: Participant | None = None, listed: str | None = None
) -> str:
    """A subject's name at a client: as it joined, else as listed, else by the client's rule."""
    if joined is not None and joined.account:
        return joined.account
    if listed:
        return listed
    match client.account:
        case AccountRule.USERNAME:
            return subject.username
        case AccountRule.EMAIL:
            return subject.email
        case _:
            return subject.id
