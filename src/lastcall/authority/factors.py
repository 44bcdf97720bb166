"""Second factors: asking for one, checking one once, and knowing when one is due."""

from dataclasses import replace

from lastcall.authority.codes import LOGIN, pending_code, send_code, spend_code
from lastcall.authority.guesses import key_of, take
from lastcall.domain.access import Caller
from lastcall.domain.errors import (
    LockedOut,
    SecondFactorExhausted,
    SecondFactorInvalid,
    SecondFactorRequired,
)
from lastcall.domain.factor import Factor, Method
from lastcall.domain.origin import Origin
from lastcall.domain.subject import Subject, second_factors
from lastcall.ports import Env, Transaction

BACKUP_CODE_LENGTH = 8


def chosen(subject: Subject, asked: Method | None) -> Method:
    """The method asked for if it is on, otherwise the strongest that is; password when none is."""
    on = second_factors(subject)
    return asked if asked in on else (on[0] if on else Method.PASSWORD)


async def challenge(
    env: Env, subject: Subject, origin: Origin, method: Method, purpose: str
) -> SecondFactorRequired:
    """The refusal that asks for a factor; for e-mail it sees to it that a usable code is out."""
    sent, expires = False, None
    if method is Method.EMAIL:
        expires = await pending_code(env, subject, purpose)
        if expires is None:
            await send_code(env, subject, origin, purpose)
            sent = True
    return SecondFactorRequired(
        method,
        second_factors(subject),
        sent=sent,
        code_expires=expires,
        address=subject.email,
        username=subject.username,
    )


async def prove_second(
    env: Env,
    subject: Subject,
    origin: Origin,
    code: str | None,
    asked: Method | None,
    purpose: str = LOGIN,
    context: str = "",
) -> Factor:
    """Check a TOTP, e-mail or backup code and use it up.

    Raises `SecondFactorRequired` without a code, `SecondFactorInvalid` for a wrong one, and
    `SecondFactorExhausted` after too many, counted across methods, sessions and addresses.
    """
    method = chosen(subject, asked)
    due = await challenge(env, subject, origin, method, purpose)
    if not code:
        raise due
    at = env.clock.now()
    async with env.store.transaction(subject.tenant) as tx:
        key = key_of("factor", subject.id)
        taken = await take(tx, key, at, env.policy(subject.tenant).factor_lockout)
        used = None
        if not isinstance(taken, LockedOut):
            used = await _spend(tx, env, subject, method, code, purpose)
        if used is not None:
            await tx.clear_strikes(key)
    if used is not None:
        return Factor(method=used, at=at, context=context)
    refusal = SecondFactorExhausted if isinstance(taken, LockedOut) else SecondFactorInvalid
    raise refusal(
        method,
        due.available,
        sent=due.sent,
        code_expires=due.code_expires,
        address=due.address,
        username=due.username,
    )


async def _spend(
    tx: Transaction, env: Env, subject: Subject, method: Method, code: str, purpose: str
) -> Method | None:
    """Use a code up in this transaction; the method it proved, None when it is not good."""
    current = await tx.subject(subject.id)
    if current is None or current.version != subject.version:
        return None
    if method is Method.EMAIL:
        return method if await spend_code(tx, env, current, purpose, code) else None
    code = "".join(code.split())
    if len(code) == BACKUP_CODE_LENGTH:
        mac = env.vault.mac(code, f"backup-code:{current.id}")
        if mac not in current.backup_codes:
            return None
        left = tuple(other for other in current.backup_codes if other != mac)
        await tx.change_subject(replace(current, backup_codes=left))
        return Method.BACKUP_CODE
    secret = env.vault.open(current.totp_secret, f"totp:{current.id}")
    step = env.totp.step(secret, code, env.clock.wall())
    if step is None or step <= current.totp_step:  # RFC 6238 5.2: a code counts once
        return None
    await tx.change_subject(replace(current, totp_step=step))
    return method


async def require_fresh_factor(
    tx: Transaction, env: Env, caller: Caller, *, always: bool = False
) -> None:
    """The tenant's rule for ending others' sessions, the same for every wire.

    `always` is for what needs it whatever the tenant says: a mass logout.
    """
    policy = env.policy(caller.tenant)
    if caller.operator or not (always or policy.second_factor_for_others):
        return
    now = env.clock.now()
    for factor in caller.session.factors if caller.session else ():
        stepped_up = factor.method is not Method.PASSWORD or factor.context
        if stepped_up and now - factor.at < policy.step_up_life:
            return
    subject = await tx.subject(caller.subject)
    methods = second_factors(subject) if subject else ()
    raise SecondFactorRequired(methods[0] if methods else Method.PASSWORD, methods)
