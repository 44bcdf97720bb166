"""Whether a caller still stands where it stood when it was let in, asked at commit time."""

from dataclasses import replace

from lastcall.domain.access import Caller
from lastcall.domain.errors import NotAuthenticated
from lastcall.domain.session import Session, State, state_of
from lastcall.domain.subject import Subject, role_in
from lastcall.domain.types import Instant
from lastcall.ports import Transaction


async def standing(tx: Transaction, caller: Caller, now: Instant) -> Caller:
    """The caller with the role and session it has in this transaction.

    Raises `NotAuthenticated` when its account is gone, disabled or changed since, or its session
    has ended in the meantime. (CVE-2026-29061 and kin: authority is judged at commit.)
    """
    if caller.operator:
        return caller
    subject = await account_of(tx, caller)
    session = None
    if caller.session is not None:
        session = await tx.session(caller.session.id)
        if session is None or session.token_hash != caller.session.token_hash:
            raise NotAuthenticated("the session is gone")
        if state_of(session, now, await tx.covered_by(session)) is not State.LIVE:
            raise NotAuthenticated("the session has ended")
    elif subject.version > caller.as_of:
        raise NotAuthenticated("the account has changed since the credentials were checked")
    role = role_in(subject, session)
    if role is caller.role and session is caller.session:
        return caller
    return replace(caller, role=role, session=session)


async def account_of(tx: Transaction, caller: Caller) -> Subject:
    """The caller's account as it is now; `NotAuthenticated` when it is gone or disabled."""
    subject = await tx.subject(caller.subject)
    if subject is None or not subject.enabled:
        raise NotAuthenticated("the account is gone or disabled")
    return subject


async def standing_session(tx: Transaction, caller: Caller, now: Instant) -> Session:
    """The live session the caller acts in; `NotAuthenticated` for one that acts without."""
    session = (await standing(tx, caller, now)).session
    if session is None:
        raise NotAuthenticated("not in a session")
    return session
