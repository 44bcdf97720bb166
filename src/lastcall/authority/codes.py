"""One-time codes by e-mail: sent, counted, used once, and bound to what they were asked for."""

from dataclasses import replace

from lastcall.domain.access import Caller
from lastcall.domain.attempts import Code, Strikes
from lastcall.domain.audit import Action, Event, Outcome
from lastcall.domain.origin import Origin
from lastcall.domain.subject import Subject
from lastcall.domain.types import Instant, SessionId, TenantId, later
from lastcall.ports import Env, Transaction

DIGITS = 6

NOBODY = "code:nobody"

LOGIN = "login"
"""The purpose of codes for a login that is under way."""


def step_up_purpose(session: SessionId) -> str:
    """Codes asked for within a session serve that session alone and end with it."""
    return f"session:{session}"


async def pending_code(env: Env, subject: Subject, purpose: str) -> Instant | None:
    """When the code that is out ends; None when there is no usable one."""
    async with env.store.transaction(subject.tenant) as tx:
        code = await tx.code(subject.id, purpose)
    usable = code is not None and code.tries_left > 0 and code.expires > env.clock.now()
    return code.expires if code is not None and usable else None


async def send_code(env: Env, subject: Subject, origin: Origin, purpose: str) -> None:
    """Put a new code out (the one before it dies) and hand it to the mailer."""
    now, policy = env.clock.now(), env.policy(subject.tenant)
    number = int.from_bytes(env.entropy.bytes(8)) % 10**DIGITS
    text = f"{number:0{DIGITS}d}"
    code = Code(
        subject=subject.id,
        purpose=purpose,
        mac=_mac(env, subject, purpose, text),
        expires=later(now, policy.email_code_life),
        tries_left=policy.email_code_tries,
    )
    event = Event(
        at=now,
        tenant=subject.tenant,
        action=Action.CODE_SENT,
        outcome=Outcome.DONE,
        origin=origin,
        actor=subject.id,
        actor_name=subject.username,
        target=purpose,
    )
    async with env.store.transaction(subject.tenant) as tx:
        await tx.put_code(code)
        await tx.record(event)
    await env.mailer.send_code(subject.email, subject.username, text, code.expires)


async def spend_code(tx: Transaction, env: Env, subject: Subject, purpose: str, text: str) -> bool:
    """Use the code up if it is right; a wrong try is counted, and the last one ends the code."""
    code = await tx.code(subject.id, purpose)
    if code is None or code.tries_left <= 0 or code.expires <= env.clock.now():
        return False
    digits = "".join(character for character in text if character in "0123456789")
    if _mac(env, subject, purpose, digits) == code.mac:
        await tx.drop_code(subject.id, purpose)
        return True
    await tx.put_code(replace(code, tries_left=code.tries_left - 1))
    return False


def _mac(env: Env, subject: Subject, purpose: str, text: str) -> str:
    return env.vault.mac(text, f"email-code:{subject.id}:{purpose}")


async def code_for_nobody(env: Env, tenant: TenantId) -> None:
    """Writes as durably as a code that is put out, and always the same row.

    Without it the time of an answer would tell which names there are.
    """
    async with env.store.transaction(tenant) as tx:
        await tx.put_strikes(Strikes(key=NOBODY, count=1, since=env.clock.now()))


async def code_by_request(
    env: Env, subject: Subject | None, origin: Origin, caller: Caller | None = None
) -> None:
    """A code asked for outright: for the caller's session, or for somebody's next login.

    Does nothing, and says nothing, for a name that is unknown or cannot get mail.
    """
    if subject is None:
        return
    if not subject.enabled or not subject.email:
        await code_for_nobody(env, subject.tenant)
        return
    session = caller.session if caller else None
    await send_code(env, subject, origin, step_up_purpose(session.id) if session else LOGIN)
