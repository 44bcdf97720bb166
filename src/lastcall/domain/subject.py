"""Subjects: who can be logged in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lastcall.domain.access import Caller, Role, role_named
from lastcall.domain.factor import STRONG, Method
from lastcall.domain.origin import Origin
from lastcall.domain.session import Session
from lastcall.domain.types import EndReason, Instant, Serial, SubjectId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One account of one tenant.

    `version` is the serial of the last change that ends sessions: a login that verified against
    an older version starts nothing. `totp_secret` is sealed, `backup_codes` are SHA-256 hex,
    `totp_step` is the last time step a code was accepted for.
    """

    id: SubjectId
    tenant: TenantId
    username: str
    password_hash: str
    role: str
    version: Serial
    created: Instant
    changed: Instant
    email: str = ""
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    groups: tuple[str, ...] = ()
    profile: Mapping[str, object] = field(default_factory=dict)
    totp_secret: str = ""
    totp_step: int = 0
    email_codes: bool = False
    backup_codes: tuple[str, ...] = ()
    enabled: bool = True

    @property
    def display_name(self) -> str:
        return self.name or " ".join(filter(None, (self.first_name, self.last_name)))


def second_factors(subject: Subject) -> tuple[Method, ...]:
    """The second factors a subject has on, strongest first; backup codes ride on TOTP."""
    on = {
        Method.TOTP: bool(subject.totp_secret),
        Method.EMAIL: subject.email_codes and bool(subject.email),
    }
    return tuple(method for method in STRONG if on[method])


def role_of(subject: Subject) -> Role:
    return role_named(subject.role)


def role_in(subject: Subject, session: Session | None) -> Role:
    """The role in a session: without any permission where somebody else sits in it.

    So whoever impersonates acts on what is the subject's alone, and never with a right over others.
    """
    role = role_of(subject)
    if session is None or session.impersonator is None:
        return role
    return replace(role, permissions=frozenset())


def caller_of(
    subject: Subject, origin: Origin, session: Session | None = None, as_of: Serial = Serial(0)
) -> Caller:
    return Caller(
        tenant=subject.tenant,
        subject=subject.id,
        username=subject.username,
        role=role_in(subject, session),
        origin=origin,
        session=session,
        as_of=as_of,
    )


def why_sessions_end(before: Subject, after: Subject) -> EndReason | None:
    """The reason a change to an account ends its sessions, or None when it does not."""
    if before.enabled and not after.enabled:
        return EndReason.SUBJECT_DISABLED
    if before.password_hash != after.password_hash:
        return EndReason.PASSWORD_CHANGED
    if before.role != after.role:
        return EndReason.ROLE_CHANGED
    if _factors(before) != _factors(after):
        return EndReason.FACTOR_CHANGED
    return None


def _factors(subject: Subject) -> tuple[str, bool, str]:
    """Where codes come by mail, the address is the factor."""
    return (
        subject.totp_secret,
        subject.email_codes,
        subject.email.lower() if subject.email_codes else "",
    )
