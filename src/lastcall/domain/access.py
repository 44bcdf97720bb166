"""Who may do what: permissions, roles, ranks, and the one rule about ending others' sessions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from lastcall.domain.errors import Denied, Invalid
from lastcall.domain.origin import Origin
from lastcall.domain.session import Session
from lastcall.domain.types import Serial, SubjectId, TenantId


class Permission(StrEnum):
    SESSION_LIST_OTHERS = "session:list-others"
    SESSION_END_OTHERS = "session:end-others"
    SESSION_JOIN = "session:join"
    SUBJECT_LOGOUT = "subject:logout"
    PEER_LOGOUT = "subject:logout-peer"
    DIALECT_LOGOUT = "dialect:logout"
    TENANT_LOGOUT = "tenant:logout"
    SUBJECT_READ = "subject:read"
    SUBJECT_WRITE = "subject:write"
    SUBJECT_IMPERSONATE = "subject:impersonate"
    CLIENT_READ = "client:read"
    CLIENT_WRITE = "client:write"
    RECEIPT_READ_OTHERS = "receipt:read-others"
    AUDIT_READ = "audit:read"
    RATE_LIMIT_BYPASS = "rate-limit:bypass"


class Rank(IntEnum):
    """Comparable standing; ending another's session needs a rank at least as high."""

    MONITOR = 1
    ENGINEER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    name: str
    rank: Rank
    permissions: frozenset[Permission]


ROLES: Mapping[str, Role] = {
    role.name: role
    for role in (
        Role(name="admin", rank=Rank.ADMIN, permissions=frozenset(Permission)),
        Role(
            name="engineer",
            rank=Rank.ENGINEER,
            permissions=frozenset({Permission.PEER_LOGOUT, Permission.SUBJECT_READ}),
        ),
        Role(name="monitor", rank=Rank.MONITOR, permissions=frozenset({Permission.PEER_LOGOUT})),
    )
}


def role_named(name: str) -> Role:
    """Raises `Invalid` for a name that is not a role: nobody is ranked by accident."""
    role = ROLES.get(name)
    if role is None:
        raise Invalid("role", f"must be one of {', '.join(ROLES)}")
    return role


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as established now: the result of validating a token or credentials.

    `session` is None for a caller that authenticated this one call by credentials, or for one
    without an account: the operator at the command line, or a service (`operator` true). `as_of`
    is the tenant's serial from before the credentials were checked: a change of the account since
    then takes the caller's standing away.
    """

    tenant: TenantId
    subject: SubjectId
    username: str
    role: Role
    origin: Origin
    session: Session | None = None
    as_of: Serial = Serial(0)
    operator: bool = False

    @property
    def impersonator(self) -> SubjectId | None:
        """Who really asks, if that is not the subject."""
        return self.session.impersonator if self.session else None


OPERATOR_ROLE = Role(
    name="operator",
    rank=Rank.ADMIN,
    permissions=frozenset(Permission) - {Permission.SUBJECT_IMPERSONATE},
)
"""An account has to answer for an impersonation, and the operator is none."""


def operator(tenant: TenantId, origin: Origin) -> Caller:
    """The person at the machine itself, whom the file system has already let in."""
    return Caller(
        tenant=tenant,
        subject=SubjectId(""),
        username="operator",
        role=OPERATOR_ROLE,
        origin=origin,
        operator=True,
    )


SERVICE_ROLE = Role(
    name="service", rank=Rank.MONITOR, permissions=frozenset({Permission.SESSION_JOIN})
)


def service(tenant: TenantId, origin: Origin, name: str) -> Caller:
    """An application that showed a secret of its own; a wire has checked it just now."""
    return Caller(
        tenant=tenant,
        subject=SubjectId(""),
        username=name,
        role=SERVICE_ROLE,
        origin=origin,
        operator=True,
    )


def authority_of(caller: Caller) -> dict[str, str]:
    """By what right a caller asks, for the record."""
    if caller.operator:
        return {"role": caller.role.name, "as": caller.role.name}
    if caller.session is None:
        return {"role": caller.role.name, "as": "credentials"}
    return {"role": caller.role.name, "as": "session", "session": caller.session.id}


def require(caller: Caller, permission: Permission) -> None:
    if permission not in caller.role.permissions:
        raise Denied(f"needs {permission}")


def require_over(caller: Caller, permission: Permission, rank: Rank) -> None:
    """Ending somebody else's session: the permission, and a rank that is equal or greater."""
    require(caller, permission)
    if caller.role.rank < rank:
        raise Denied(f"rank {caller.role.rank.name} is below {rank.name}")
