"""Refresh: trade a refresh token for new secrets of the same session, each one once."""

from dataclasses import replace

from lastcall.authority.ending import end_scope
from lastcall.authority.login import LoggedIn, Mint
from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, Event, Outcome, event_by
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.origin import Origin
from lastcall.domain.session import Session, State, state_of
from lastcall.domain.subject import Subject, caller_of
from lastcall.domain.token import hash_token
from lastcall.domain.types import Duration, EndReason, Instant, TenantId, later
from lastcall.ports import Env, Transaction

SPENT_KEPT = 16
"""How many used refresh tokens of a session are recognised; older ones are merely unknown."""


async def refresh(
    env: Env,
    tenant: TenantId,
    token: str,
    origin: Origin,
    *,
    mint: Mint,
    mint_refresh: Mint,
    token_life: Duration,
) -> LoggedIn:
    """New token and refresh token; the old ones stop counting with the same commit.

    A refresh token that was used before ends its session, whoever holds the newer one (RFC 9700
    4.14.2). Raises `NotAuthenticated` for that and for every token that does not count.
    """
    hashed, now = hash_token(token), env.clock.now()
    reused = None
    async with env.store.transaction(tenant) as tx:
        session = await tx.session_with_refresh(hashed)
        subject = await tx.subject(session.subject) if session else None
        if (
            session is None
            or subject is None
            or not await _counts(tx, env, session, subject, origin)
        ):
            raise NotAuthenticated("no live session for this refresh token")
        caller = caller_of(subject, origin, session)
        if session.refresh_hash != hashed:
            reused = caller
            scope = OneSession(session=session.id)
            await end_scope(tx, env, caller, scope, EndReason.TOKEN_REUSED, "")
            await tx.record(_event(caller, now, Outcome.REFUSED))
        else:
            new = mint(env.entropy, session.id, session.expires)
            new_refresh = mint_refresh(env.entropy, session.id, session.expires)
            renewed = replace(
                session,
                token_hash=hash_token(new),
                token_expires=later(now, token_life),
                refresh_hash=hash_token(new_refresh),
                spent=(*session.spent, hashed)[-SPENT_KEPT:],
            )
            await tx.renew(renewed)
            await tx.record(_event(caller, now, Outcome.DONE))
    if reused is not None:
        raise NotAuthenticated("the refresh token was used before")
    return LoggedIn(
        session=renewed,
        subject=subject,
        token=new,
        caller=replace(caller, session=renewed),
        refresh=new_refresh,
    )


async def _counts(
    tx: Transaction, env: Env, session: Session, subject: Subject, origin: Origin
) -> bool:
    state = state_of(session, env.clock.now(), await tx.covered_by(session))
    return state is State.LIVE and subject.enabled and session.dialect == origin.dialect


def _event(caller: Caller, now: Instant, outcome: Outcome) -> Event:
    target = caller.session.id if caller.session else ""
    code = "" if outcome is Outcome.DONE else EndReason.TOKEN_REUSED
    return event_by(caller, now, Action.REFRESH, outcome, target=target, code=code)
