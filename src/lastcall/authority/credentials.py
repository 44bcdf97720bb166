"""Credentials: who somebody is, by name, password and, where it is on, a second factor."""

from dataclasses import dataclass

from lastcall.authority.entering import enter, leave
from lastcall.authority.factors import prove_second
from lastcall.authority.guesses import forget
from lastcall.authority.refusals import refusals
from lastcall.domain.access import Caller, Rank, Role
from lastcall.domain.attempts import Limit, tries_left
from lastcall.domain.audit import Action
from lastcall.domain.errors import BadCredentials, Busy, LockedOut
from lastcall.domain.factor import Factor, Method
from lastcall.domain.origin import Origin
from lastcall.domain.subject import Subject, caller_of, second_factors
from lastcall.domain.token import digest_password
from lastcall.domain.types import Serial, SubjectId, TenantId
from lastcall.ports import Env


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What was offered. `password` may instead be its SHA-256 hex in `digest`.

    `takes_code` says whether this wire can carry a second factor: where it cannot, an account
    that has one on is refused like a wrong password. `lockout` overrides the tenant's limit of
    failures per name.
    """

    name: str
    password: str = ""
    digest: str = ""
    with_email: bool = False
    code: str | None = None
    method: Method | None = None
    takes_code: bool = False
    lockout: Limit | None = None

    @property
    def password_digest(self) -> str:
        return self.digest.lower() if self.digest else digest_password(self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Who it is; `as_of` is the serial from before anything was checked."""

    subject: Subject
    factors: tuple[Factor, ...]
    as_of: Serial

    def caller(self, origin: Origin) -> Caller:
        return caller_of(self.subject, origin, as_of=self.as_of)


async def prove(env: Env, tenant: TenantId, origin: Origin, given: Credentials) -> Proven:
    """Check credentials. Raises `BadCredentials`, `LockedOut`, `Busy`, `SecondFactorRequired`.

    The attempt is counted, durably, before it is judged; unknown names cost the same time.
    """
    with env.undecided.turn(tenant) as turn:
        limit = given.lockout or env.policy(tenant).subject_lockout
        entry = await enter(env, turn, origin, given.name, limit, with_email=given.with_email)
        subject, taken = entry.subject, entry.taken
        who = caller_of(subject, origin) if subject else _nobody(tenant, origin)
        async with refusals(env, who, Action.LOGIN, entry.key):
            if isinstance(taken, LockedOut):
                raise taken
            try:
                good = await env.passwords.verify(_encoded(subject), given.password_digest)
            except Busy:
                await leave(env, tenant, taken)
                raise
            if subject is None or not good or (second_factors(subject) and not given.takes_code):
                turn.over()
                left = tries_left(taken[-1], limit)
                known = subject is not None and subject.enabled
                raise BadCredentials(_why(subject, good=good), attempts_left=left, known=known)
            await leave(env, tenant, taken, right=not second_factors(subject))
            turn.over()
            second = await _second(env, subject, origin, given)
    if second:
        async with env.store.transaction(tenant) as tx:
            await forget(tx, taken[-1])
    factors = (Factor(method=Method.PASSWORD, at=entry.at), *second)
    return Proven(subject=subject, factors=factors, as_of=entry.as_of)


async def _second(
    env: Env, subject: Subject, origin: Origin, given: Credentials
) -> tuple[Factor, ...]:
    if not second_factors(subject):
        return ()
    return (await prove_second(env, subject, origin, given.code, given.method),)


def _encoded(subject: Subject | None) -> str:
    return subject.password_hash if subject is not None and subject.enabled else ""


def _nobody(tenant: TenantId, origin: Origin) -> Caller:
    return Caller(
        tenant=tenant,
        subject=SubjectId(""),
        username="",
        role=Role(name="", rank=Rank.MONITOR, permissions=frozenset()),
        origin=origin,
    )


def _why(subject: Subject | None, *, good: bool) -> str:
    """For the audit record alone."""
    if subject is None or not subject.enabled:
        return "disabled" if subject else "no such name"
    return "this wire cannot carry the second factor" if good else "wrong password"
