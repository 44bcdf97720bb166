"""Ending what was previewed: exactly that set, with a word on what has changed since."""

from dataclasses import dataclass

from lastcall.authority.ending import end_scope
from lastcall.authority.preview import select
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


async def end_previewed(
    tx: Transaction, env: Env, caller: Caller, preview: Preview, reason: str
) -> tuple[Receipt, Drift]:
    """The drift is counted first, on what stands just before the end."""
    live = {session.id for session, _ in await select(tx, env, preview.selection)}
    chosen = frozenset(preview.sessions)
    still = [one for one in chosen if (row := await tx.session(one)) and row.ended is None]
    drift = Drift(ended_since=len(chosen) - len(still), new_since=len(live - chosen))
    scope = OfSessions(sessions=chosen)
    done = await end_scope(tx, env, caller, scope, EndReason.REVOKED, reason)
    detail = {
        "receipt": done.receipt.revocation.id,
        "sessions": str(len(chosen)),
        "ended_since": str(drift.ended_since),
        "new_since": str(drift.new_since),
        "reason": reason,
    }
    target, now = f"preview:{preview.id}", env.clock.now()
    await tx.record(event_by(caller, now, Action.LOGOUT, target=target, detail=detail))
    return done.receipt, drift
