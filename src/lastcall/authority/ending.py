"""Ending sessions: the one way every logout, eviction and change of an account goes through."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from lastcall.authority.owing import owe, owe_subject
from lastcall.domain.access import Caller, operator
from lastcall.domain.logout import (
    OfDialect,
    OfSessions,
    OfSubject,
    OfTenant,
    OneSession,
    Receipt,
    Revocation,
    Scope,
)
from lastcall.domain.origin import Origin
from lastcall.domain.session import Session
from lastcall.domain.token import ID_BYTES, id_text
from lastcall.domain.types import EndReason, ReceiptId, SessionId
from lastcall.ports import Env, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """The receipt so far, and the sessions ended in this very transaction."""

    receipt: Receipt
    ended: Sequence[Session]


def new_receipt_id(env: Env) -> ReceiptId:
    return ReceiptId("r_" + id_text(env.entropy.bytes(ID_BYTES)))


def words(scope: Scope) -> str:
    """The scope as audit and logs show it."""
    match scope:
        case OneSession(session=one):
            return f"session:{one}"
        case OfSessions(sessions=some):
            return f"sessions:{len(some)}"
        case OfSubject(subject=subject, dialect=dialect, keep=keep):
            limits = (f" dialect:{dialect}" if dialect else "") + (f" but:{keep}" if keep else "")
            return f"subject:{subject}{limits}"
        case OfDialect(dialect=dialect):
            return f"dialect:{dialect}"
        case OfTenant(keep=keep):
            return "tenant" + (f" but:{keep}" if keep else "")
        case _:
            assert_never(scope)


async def end_scope(
    tx: Transaction,
    env: Env,
    by: Caller,
    scope: Scope,
    why: EndReason,
    reason: str,
    *,
    whole: bool = False,
) -> Logout:
    """Leave the revocation, and end up to a batch of the rows it covers, or all if `whole`.

    Every application is owed its notice by the transaction that ends the row.
    """
    revocation = Revocation(
        id=new_receipt_id(env),
        tenant=tx.tenant,
        scope=scope,
        serial=await tx.next_serial(),
        at=env.clock.now(),
        why=why,
        by=by.subject or None,
        by_name=by.username,
        reason=reason,
        via=by.origin.dialect,
    )
    await tx.add_revocation(revocation)
    receipt = Receipt(revocation=revocation, sessions_ended=0, complete=False)
    done = await end_batch(tx, env, receipt, whole=whole)
    return Logout(receipt=done.receipt, ended=tuple(done.ended))


async def end_by_rule(
    tx: Transaction, env: Env, origin: Origin, sessions: Iterable[SessionId], why: EndReason
) -> Logout:
    """End these because a rule of the house says so: nobody asked."""
    scope = OfSessions(sessions=frozenset(sessions))
    house = replace(operator(tx.tenant, origin), username="")
    return await end_scope(tx, env, house, scope, why, "")


async def end_batch(tx: Transaction, env: Env, receipt: Receipt, *, whole: bool = False) -> Logout:
    """End the next rows of a receipt that is not complete, and owe what their ends owe."""
    revocation = receipt.revocation
    batch = env.policy(tx.tenant).batch
    ended = await tx.end_sessions(revocation, batch)
    while (more := await tx.more_to_end(revocation)) and whole:
        ended = [*ended, *await tx.end_sessions(revocation, batch)]
    owing = await owe(tx, env, revocation, ended)
    if receipt.sessions_ended == 0:
        await owe_subject(tx, env, revocation, owing)
    await tx.progress(revocation.id, len(ended), complete=not more)
    total = receipt.sessions_ended + len(ended)
    done = Receipt(revocation=revocation, sessions_ended=total, complete=not more)
    return Logout(receipt=done, ended=ended)
