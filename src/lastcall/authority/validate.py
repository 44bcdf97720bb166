"""Validate: is this token good, and whose is it."""

from lastcall.domain.access import Caller
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.origin import Origin
from lastcall.domain.session import State, state_of, token_counts
from lastcall.domain.subject import caller_of
from lastcall.domain.token import hash_token
from lastcall.domain.types import DialectName, SubjectId, TenantId
from lastcall.ports import Env


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
    session = found.session
    accepted = (origin.dialect,) if dialects == () else dialects
    if tenant is not None and session.tenant != tenant:
        raise NotAuthenticated("token of another tenant")
    if accepted is not None and session.dialect not in accepted:
        raise NotAuthenticated(f"token of {session.dialect}")
    if bound_to_address and session.address != origin.address:
        raise NotAuthenticated("token from another address")
    if claimed is not None and session.subject != claimed:
        raise NotAuthenticated("token of another subject")
    now = env.clock.now()
    state = state_of(session, now, found.revoked_before)
    if state is not State.LIVE or not found.subject.enabled or not token_counts(session, now):
        raise NotAuthenticated(f"session is {state}")
    if counts_as_use:
        env.store.touch(found, now)
    return caller_of(found.subject, origin, session)
