"""Ending what was previewed: exactly that set, with a word on what has changed since."""

from dataclasses import dataclass

from lastcall.authority.ending import end_scope
from lastcall.authority.selecting import selected, unended
from lastcall.domain.access import Caller
from lastcall.domain.audit import Action, event_by
from lastcall.domain.logout import OfSessions, Receipt
from lastcall.domain.plan import Preview
from lastcall.domain.types import EndReason
from lastcall.ports import Env, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What changed between preview and end: gone by themselves, and matching but not in the set."""

    ended_since: int = 0
    new_since: int = 0


UNMOVED = Drift()


async def drift_of(env: Env, preview: Preview) -> Drift:
    """Counted just before the end, in slices; it changes nothing about what is ended."""
    chosen, left, new = frozenset(preview.sessions), set(preview.sessions), 0
    async for session, _ in selected(env, preview.tenant, preview.selection):
        left.discard(session.id)
        new += session.id not in chosen
    gone = len(left) - await unended(env, preview.tenant, left)
    return Drift(ended_since=gone, new_since=new)


async def end_previewed(
    tx: Transaction, env: Env, caller: Caller, preview: Preview, reason: str, drift: Drift
) -> Receipt:
    scope = OfSessions(sessions=frozenset(preview.sessions))
    done = await end_scope(tx, env, caller, scope, EndReason.REVOKED, reason)
    detail = {
        "receipt": done.receipt.revocation.id,
        "sessions": str(len(scope.sessions)),
        "ended_since": str(drift.ended_since),
        "new_since": str(drift.new_since),
        "reason": reason,
    }
    target, now = f"preview:{preview.id}", env.clock.now()
    await tx.record(event_by(caller, now, Action.LOGOUT, target=target, detail=detail))
    return done.receipt
