"""Room for a new session: the caps, and what has to end for it."""

from lastcall.authority.ending import end_by_rule
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Admission, all_of, capped
from lastcall.domain.session import Session, State, state_of
from lastcall.domain.types import EndReason
from lastcall.ports import Env, Transaction


async def make_room(
    tx: Transaction,
    env: Env,
    session: Session,
    admission: tuple[Admission, ...],
    origin: Origin,
) -> dict[str, str]:
    """Apply every cap in the very transaction that adds the session, so none is exceeded.

    Sessions that somebody else sits in take no place away.
    """
    policy = env.policy(session.tenant)
    rule = all_of(*admission, capped(policy.sessions_per_subject, policy.when_full))
    rows = await tx.unended_of(session.subject)
    live = [
        row
        for row in rows
        if row.impersonator is None
        and state_of(row, session.created, await tx.covered_by(row)) is State.LIVE
    ]
    evicted = [old.id for old in rule(session, live)]
    if not evicted:
        return {}
    done = await end_by_rule(tx, env, origin, evicted, EndReason.EVICTED)
    return {"evicted": " ".join(evicted), "receipt": done.receipt.revocation.id}
