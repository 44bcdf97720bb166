"""Validate: is this token good, and whose is it."""

from lastcall.domain.access import Caller
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.origin import Origin
from lastcall.domain.session import State, next_use, state_of, token_counts
from lastcall.domain.subject import caller_of
from lastcall.domain.token import hash_token
from lastcall.domain.types import DialectName, Instant, SubjectId, TenantId
from lastcall.ports import Env, Found


async def validate(
    env: Env,
    tenant: TenantId | None,
    token: str,
    origin: Origin,
    *,
    dialects: tuple[DialectName, ...] | None = (),
    counts_as_use: bool = True,
    bound_to_address: bool = False,
    claimed: SubjectId | None = None,
) -> Caller:
    """The caller behind a token; `NotAuthenticated` for anything else, without saying why.

    `tenant` None accepts every tenant's tokens. `dialects` () accepts only sessions begun at
    `origin.dialect`, None those of any wire. `claimed` is whose the token is said to be, where a
    wire asks for both. The check reads; only the last use is remembered, and never so that it
    could bring an ended session back.
    """
    found = await env.store.find(hash_token(token))
    if found is None:
        raise NotAuthenticated("unknown token")
    now = env.clock.now()
    reason = objection(
        found,
        now,
        tenant,
        (origin.dialect,) if dialects == () else dialects,
        origin.address if bound_to_address else None,
        claimed,
    )
    if reason:
        raise NotAuthenticated(reason)
    if counts_as_use:
        use(env, found, now)
    return caller_of(found.subject, origin, found.session)


def use(env: Env, found: Found, now: Instant) -> Instant:
    """Remember it if it is worth that; from when on the next one will be."""
    due = next_use(found.session, found.session.last_seen)
    if now < due:
        return due
    env.store.touch(found, now)
    return next_use(found.session, now)


def objection(
    found: Found,
    now: Instant,
    tenant: TenantId | None,
    dialects: tuple[DialectName, ...] | None = None,
    address: str | None = None,
    claimed: SubjectId | None = None,
) -> str:
    """Why a token that is known does not count here and now; empty when it does."""
    session, subject, revoked_before = found
    if tenant is not None and session.tenant != tenant:
        return "token of another tenant"
    if dialects is not None and session.dialect not in dialects:
        return f"token of {session.dialect}"
    if address is not None and session.address != address:
        return "token from another address"
    if claimed is not None and session.subject != claimed:
        return "token of another subject"
    state = state_of(session, now, revoked_before)
    if state is not State.LIVE or not subject.enabled or not token_counts(session, now):
        return f"session is {state}"
    return ""
