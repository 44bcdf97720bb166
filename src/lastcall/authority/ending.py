"""Ending sessions: the one way every logout, eviction and change of an account goes through."""

from base64 import b32encode
from dataclasses import dataclass
from typing import assert_never

from lastcall.domain.access import Caller
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
from lastcall.domain.session import Session
from lastcall.domain.types import EndReason, ReceiptId
from lastcall.ports import Env, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """The receipt so far, and the sessions ended in this very transaction."""

    receipt: Receipt
    ended: tuple[Session, ...]


def new_receipt_id(env: Env) -> ReceiptId:
    return ReceiptId("r_" + b32encode(env.entropy.bytes(15)).decode().lower())


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
    tx: Transaction, env: Env, by: Caller, scope: Scope, why: EndReason, reason: str
) -> Logout:
    """Leave the revocation, and end up to a batch of the rows it covers."""
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
    batch = env.policy(tx.tenant).batch
    await tx.add_revocation(revocation)
    ended = tuple(await tx.end_sessions(revocation, batch))
    complete = len(ended) < batch
    await tx.progress(revocation.id, len(ended), complete=complete)
    receipt = Receipt(revocation=revocation, sessions_ended=len(ended), complete=complete)
    return Logout(receipt=receipt, ended=ended)
