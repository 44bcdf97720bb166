"""Step-up: a second factor given within a session, before something sensitive."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from lastcall.authority.codes import step_up_purpose
from lastcall.authority.factors import challenge, chosen, prove_second
from lastcall.authority.guesses import count, forget, give_back, in_turn, key_of
from lastcall.authority.refusals import refusals
from lastcall.authority.standing import account_of, standing_session
from lastcall.domain.access import Caller
from lastcall.domain.attempts import Limit, Strikes
from lastcall.domain.audit import Action, event_by
from lastcall.domain.errors import (
    Busy,
    Denied,
    LockedOut,
    SecondFactorExhausted,
    SecondFactorInvalid,
)
from lastcall.domain.factor import Factor, Method
from lastcall.domain.subject import Subject
from lastcall.domain.token import hash_token
from lastcall.domain.types import Instant
from lastcall.ports import Entropy, Env, Transaction
from lastcall.ports.undecided import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedUp:
    """The caller with its new factor; `token` replaces the old one unless it is empty."""

    caller: Caller
    token: str = ""


async def step_up(
    env: Env,
    caller: Caller,
    code: str | None,
    method: Method | None = None,
    *,
    context: str = "step-up",
    mint: Callable[[Entropy], str] | None = None,
) -> SteppedUp:
    """Prove a second factor in the caller's session; `mint` makes the token that replaces its own.

    An account without a second factor proves its password again, as SHA-256 hex; an account with
    one cannot fall back to the password. Raises `SecondFactorRequired` and its kin.
    """
    async with refusals(env, caller, Action.STEP_UP):
        async with env.store.transaction(caller.tenant) as tx:
            session = await standing_session(tx, caller, env.clock.now())
            if session.impersonator is not None:
                raise Denied("somebody else sits in the session")
            subject = await account_of(tx, caller)
        if chosen(subject, method) is Method.PASSWORD:
            factor = await _prove_password(env, subject, caller, code, context)
        else:
            purpose = step_up_purpose(session.id)
            factor = await prove_second(env, subject, caller.origin, code, method, purpose, context)
        async with env.store.transaction(caller.tenant) as tx:
            now = env.clock.now()
            session = await standing_session(tx, caller, now)
            token = mint(env.entropy) if mint else ""
            kept = tuple(old for old in session.factors if old.method is not factor.method)
            hashed = hash_token(token) if token else session.token_hash
            session = replace(session, token_hash=hashed, factors=(*kept, factor))
            await tx.renew(session)
            await tx.record(event_by(caller, now, Action.STEP_UP, target=factor.method))
    return SteppedUp(caller=replace(caller, session=session), token=token)


async def _prove_password(
    env: Env, subject: Subject, caller: Caller, digest: str | None, context: str
) -> Factor:
    due = await challenge(env, subject, caller.origin, Method.PASSWORD, "")
    if not digest:
        raise due
    key = key_of("factor", subject.id)
    limits = {key: env.policy(subject.tenant).factor_lockout}
    with env.undecided.turn(subject.tenant) as turn:
        at, taken = await in_turn(env, turn, partial(_enter, env, turn, limits))
        if isinstance(taken, LockedOut):
            raise SecondFactorExhausted(Method.PASSWORD, due.available)
        try:
            good = await env.passwords.verify(subject.password_hash, digest.lower())
        except Busy:
            async with env.store.transaction(subject.tenant) as tx:
                await give_back(tx, *taken)
            raise
        if not good:
            raise SecondFactorInvalid(Method.PASSWORD, due.available)
        async with env.store.transaction(subject.tenant) as tx:
            await forget(tx, *taken)
    return Factor(method=Method.PASSWORD, at=at, context=context)


async def _enter(
    env: Env, turn: Turn, limits: Mapping[str, Limit], tx: Transaction
) -> tuple[Instant, tuple[Strikes, ...] | LockedOut] | None:
    at = env.clock.now()
    taken = await count(tx, turn, at, limits)
    return None if taken is None else (at, taken)
