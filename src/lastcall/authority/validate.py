"""Validate: is this token good, and whose is it."""

from dataclasses import dataclass

from lastcall.domain.access import Caller
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.origin import Origin
from lastcall.domain.session import State, lapses, next_use, state_of, token_counts
from lastcall.domain.subject import caller_of
from lastcall.domain.token import hash_token
from lastcall.domain.types import DialectName, Instant, SubjectId, TenantId, TokenHash
from lastcall.ports import Env, Found
from lastcall.ports.reading import MustWait


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
    objection = _objection(
        found,
        now,
        tenant,
        (origin.dialect,) if dialects == () else dialects,
        origin.address if bound_to_address else None,
        claimed,
    )
    if objection:
        raise NotAuthenticated(objection)
    if counts_as_use:
        _use(env, found, now)
    return caller_of(found.subject, origin, found.session)


@dataclass(slots=True)
class Verdict:
    """A token found good. It stands for as long as the era lasts, but at most until `until`.

    A use before `next_use` is not worth remembering.
    """

    found: Found
    era: int
    until: Instant
    next_use: Instant


def validate_at_once(env: Env, tenant: TenantId | None, token: TokenHash) -> Verdict | None:
    """`validate` for tokens of every wire, without waiting; None unless the answer is yes.

    Who gets None asks `validate`, which knows why, and waits where that is needed.
    """
    store = env.store
    era, found = store.era(), store.peek(token)
    if era is None or found is None or isinstance(found, MustWait):
        return None
    now = env.clock.now()
    if _objection(found, now, tenant):
        return None
    return Verdict(found, era, lapses(found.session), _use(env, found, now))


def validate_again(env: Env, former: Verdict) -> bool:
    """Whether a verdict of `validate_at_once` still stands, which counts as a use as well.

    It is what that would say, but cheaper: no state the check looks at has changed, and a
    session that counts goes on counting until it lapses.
    """
    store = env.store
    if store.era() != former.era:
        return False
    now = env.clock.now()
    if now >= former.until:
        return False
    if now >= former.next_use:
        former.next_use = next_use(former.found.session, now)
        store.touch(former.found, now)
    return True


def _use(env: Env, found: Found, now: Instant) -> Instant:
    """Remember it if it is worth that; from when on the next one will be."""
    due = next_use(found.session, found.session.last_seen)
    if now < due:
        return due
    env.store.touch(found, now)
    return next_use(found.session, now)


def _objection(
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
